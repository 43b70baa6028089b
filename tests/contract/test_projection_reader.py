"""The readers of SQLite and PostgreSQL keep the contract; each has a way of its own to be unable to write."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.engine import make_url

from shardlog.adapters.postgresql import PostgresqlProjectionStore
from shardlog.adapters.postgresql.connecting import connect
from shardlog.adapters.postgresql.granting import grant_reads
from shardlog.adapters.postgresql.reading import PostgresqlProjectionReader
from shardlog.adapters.sql.sqlite_reading import SqliteProjectionReader
from shardlog.adapters.sql.store import SqlProjectionStore
from shardlog.errors import ConfigurationError, ProjectionError, RowsRefused, StoreUnavailable
from shardlog.model.messages import Row
from shardlog.model.projection import Projection
from shardlog.model.rows import Key
from shardlog.ports.builds import Build
from shardlog.ports.checkpoints import Move
from shardlog.ports.projections import Batch, ProjectionStore, TableChanges
from shardlog.ports.reading import Order, ProjectionReader
from shardlog.testing.contracts.reading import (
    MEASURED,
    ROWS,
    TIMEOUT_MS,
    Measured,
    ProjectionReaderContract,
    ids,
    query,
    result,
    selection,
)
from shardlog.testing.contracts.tallies import TALLIES, changes, checkpoint


class Later(Row, name="contract_later"):
    """Of a projection that nobody has kept yet."""

    id: Key[int]


class TestSqlite(ProjectionReaderContract):
    @pytest.fixture(autouse=True)
    def _file(self, tmp_path: Path) -> None:
        self.file = tmp_path / "a ?#%20 name.sqlite"

    def open_store(self) -> ProjectionStore:
        return SqlProjectionStore(self.file)

    def open_reader(self, statement_timeout_ms: int) -> ProjectionReader:
        return SqliteProjectionReader(self.file, statement_timeout_ms=statement_timeout_ms, connections_max=4)

    def test_a_file_that_nobody_made_is_not_made(self) -> None:
        with pytest.raises(StoreUnavailable, match="does not exist yet"):
            self.open_reader(TIMEOUT_MS)
        assert not self.file.exists()

    @pytest.mark.parametrize(
        "statement",
        ["ATTACH '{}' AS other", "PRAGMA query_only = OFF", "PRAGMA writable_schema = ON", "VACUUM INTO '{}'",
         "SELECT load_extension('x')", "SELECT writefile('{}', 'x')", "REINDEX", "DETACH main"],
    )  # fmt: skip
    def test_a_statement_reaches_nothing_beside_the_tables(
        self, reader: ProjectionReader, tmp_path: Path, statement: str
    ) -> None:
        other = tmp_path / "other.sqlite"
        with pytest.raises(ProjectionError):
            result(reader, query(statement.format(other)))
        assert not other.exists()


class TestPostgresql(ProjectionReaderContract):
    @pytest.fixture(autouse=True)
    def _database(self, postgresql: str, postgresql_schema: str, role: str) -> None:
        self.url, self.schema, self.role = postgresql, postgresql_schema, role

    @pytest.fixture
    def role(self, postgresql: str) -> Iterator[str]:
        """A role whose name needs quotes, with no rights yet."""
        name = f'reader "{uuid4().hex[:8]}"'
        with psycopg.connect(postgresql, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'reads'").format(sql.Identifier(name)))
            yield name
            connection.execute(sql.SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(sql.Identifier(name)))

    @property
    def reader_url(self) -> str:
        return make_url(self.url).set(username=self.role, password="reads").render_as_string(hide_password=False)

    def open_store(self) -> ProjectionStore:
        return PostgresqlProjectionStore(self.url, schema=self.schema)

    def open_reader(self, statement_timeout_ms: int) -> ProjectionReader:
        grant_reads(self.url, schema=self.schema, role=self.role)
        return PostgresqlProjectionReader(
            self.reader_url, schema=self.schema, statement_timeout_ms=statement_timeout_ms, connections_max=4
        )

    def test_tables_made_after_the_grant_can_be_read(self, reader: ProjectionReader, store: ProjectionStore) -> None:
        second = Build(MEASURED, 2)
        store.builds.begin(second, {})
        store.write(Batch(second, [Move(None, checkpoint(9))], [TableChanges(Measured, ROWS[:2], {}, {}, [])]))
        store.builds.switch(second.key, {0: 9})
        assert ids(reader, []) == [1, 2]
        assert result(reader, query("SELECT count(*) FROM contract_measured_v1_b2")) == [(2,)]

    def test_rows_are_of_the_build_whose_positions_stand_with_them(self, store: ProjectionStore) -> None:
        grant_reads(self.url, schema=self.schema, role=self.role)
        second, refused = Build(MEASURED, 2), list[StoreUnavailable]()

        class Slow(PostgresqlProjectionReader):
            """A rebuild begins and ends between its readings of positions and of rows."""

            def _check_version(self, *given: Any) -> None:
                store.builds.begin(second, {})
                store.write(Batch(second, [Move(None, checkpoint(9))], [TableChanges(Measured, ROWS, {}, {}, [])]))
                try:
                    store.builds.switch(second.key, {0: 9})
                except StoreUnavailable as error:
                    refused.append(error)
                super()._check_version(*given)

        reader = Slow(self.reader_url, schema=self.schema, statement_timeout_ms=TIMEOUT_MS, connections_max=1)
        found = reader.select(selection([Order("id", False)], None, 10))
        assert (found.standings["measured"].build, len(found.read(10))) == (1, 5)
        assert "lock timeout" in str(refused[0])
        found.close()
        store.builds.switch(second.key, {0: 9})
        reader.close()
        reader = self.open_reader(TIMEOUT_MS)
        found = reader.select(selection([Order("id", False)], None, 10))
        assert (found.standings["measured"].build, len(found.read(10))) == (2, 5)
        found.close()
        reader.close()

    def test_what_a_named_query_returns_is_of_the_build_whose_positions_stand_with_it(
        self, store: ProjectionStore
    ) -> None:
        grant_reads(self.url, schema=self.schema, role=self.role)
        second, refused = Build(MEASURED, 2), list[StoreUnavailable]()

        class Slow(PostgresqlProjectionReader):
            """A rebuild begins and ends between its reading of positions and the query."""

            def _executed(self, *given: Any) -> Any:
                store.builds.begin(second, {})
                store.write(Batch(second, [Move(None, checkpoint(9))], [TableChanges(Measured, ROWS, {}, {}, [])]))
                try:
                    store.builds.switch(second.key, {0: 9})
                except StoreUnavailable as error:
                    refused.append(error)
                return super()._executed(*given)

        reader = Slow(self.reader_url, schema=self.schema, statement_timeout_ms=TIMEOUT_MS, connections_max=1)
        found = reader.run(query("SELECT id FROM contract_measured"), {}, [Projection("later", rows=[Later]), MEASURED])
        assert (found.standings["measured"].build, len(found.read(10))) == (1, 5)
        assert "lock timeout" in str(refused[0])
        found.close()
        reader.close()

    def test_dead_letters_are_not_for_readers(self, reader: ProjectionReader) -> None:
        with pytest.raises(ProjectionError):
            result(reader, query("SELECT * FROM shardlog_dead_letters"))

    @pytest.mark.parametrize(
        "way",
        ["SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE", "SET default_transaction_read_only TO off"],
    )
    def test_the_role_alone_cannot_write_even_where_the_session_would_let_it(
        self, reader: ProjectionReader, way: str
    ) -> None:
        table = sql.Identifier(self.schema, "contract_measured_v1")
        with connect(make_url(self.reader_url)) as connection:
            connection.autocommit = True
            connection.execute(way.encode())
            for form in ("DELETE FROM {}", "UPDATE {} SET text = ''", "DROP TABLE {}", "TRUNCATE {}"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(sql.SQL(form).format(table))
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(sql.SQL("CREATE TABLE {} ()").format(sql.Identifier(self.schema, "mine")))
        assert len(ids(reader, [])) == 5

    def test_a_role_that_may_write_is_refused(self, store: ProjectionStore) -> None:
        with pytest.raises(ConfigurationError, match=r"may write to schema .*`shardlog admin grant-reads"):
            PostgresqlProjectionReader(self.url, schema=self.schema, statement_timeout_ms=TIMEOUT_MS, connections_max=1)
        grant_reads(self.url, schema=self.schema, role=self.role)
        with psycopg.connect(self.url, autocommit=True) as connection:
            table, role = sql.Identifier(self.schema, "contract_measured"), sql.Identifier(self.role)
            connection.execute(sql.SQL("GRANT UPDATE ON {} TO {}").format(table, role))
        with pytest.raises(ConfigurationError, match="may write"):
            self.open_reader(TIMEOUT_MS)

    def test_a_role_that_may_not_read_is_told_how_it_may(self, store: ProjectionStore) -> None:
        with pytest.raises(ConfigurationError, match=f"may not use schema .* grant-reads {re.escape(self.role)}"):
            PostgresqlProjectionReader(
                self.reader_url, schema=self.schema, statement_timeout_ms=TIMEOUT_MS, connections_max=1
            )

    def test_a_role_that_is_not_there_is_told_how_it_is_made(self, store: ProjectionStore) -> None:
        with pytest.raises(ConfigurationError, match=r"there is no role 'nobody at all'.*CREATE ROLE"):
            grant_reads(self.url, schema=self.schema, role="nobody at all")

    def test_a_schema_that_nobody_made_is_said_to_be_missing(self) -> None:
        with pytest.raises(ConfigurationError, match=r"there is no schema 'none' .* whoever keeps the projections"):
            PostgresqlProjectionReader(self.url, schema="none", statement_timeout_ms=TIMEOUT_MS, connections_max=1)

    def test_a_server_that_is_not_there_is_unavailable(self) -> None:
        with pytest.raises(StoreUnavailable):
            PostgresqlProjectionReader(
                "postgresql://a@127.0.0.1:1/b", schema="x", statement_timeout_ms=TIMEOUT_MS, connections_max=1
            )

    def test_a_division_by_zero_is_the_question_s_fault(self, reader: ProjectionReader, store: ProjectionStore) -> None:
        store.builds.begin(TALLIES, {})
        store.write(Batch(TALLIES, tables=changes(puts=[("a", 1, 0, "x", None)])))
        with pytest.raises(RowsRefused):
            result(reader, query("SELECT 1 / n FROM contract_tallies"))

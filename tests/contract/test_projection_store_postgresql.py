"""The projection store on a real PostgreSQL keeps the contract, in a schema whose name needs quotes."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from shardlog.adapters.postgresql import PostgresqlProjectionStore
from shardlog.errors import CheckpointMoved, ConfigurationError, RowsRefused, StoreUnavailable
from shardlog.model.batches import OpenTables
from shardlog.ports.checkpoints import Move
from shardlog.ports.projections import Batch, Columns, ProjectionStore, TableChanges
from shardlog.testing.contracts.projections import ProjectionStoreContract
from shardlog.testing.contracts.tallies import AGAIN, TALLIES, changes, checkpoint
from tests.contract.test_projection_store_sqlite import EVERYTHING, Colour, Everything, OnlyKey, Size


class TestPostgresql(ProjectionStoreContract):
    @pytest.fixture(autouse=True)
    def _database(self, postgresql: str, postgresql_schema: str) -> None:
        self.url, self.schema = postgresql, postgresql_schema

    def open(self) -> ProjectionStore:
        return PostgresqlProjectionStore(self.url, schema=self.schema)

    def rows(self, table: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.url) as connection:
            name = Identifier(self.schema, table)
            return connection.execute(SQL("SELECT * FROM {} ORDER BY 1, 2").format(name)).fetchall()

    def test_of_two_workers_that_move_one_checkpoint_the_second_is_refused(self, store: ProjectionStore) -> None:
        other = self.open()
        increments = {Columns(("n",), ()): [("a", 1, 3, "none", None, 3)]}
        store.write(Batch(TALLIES, [Move(None, checkpoint(5))], changes(increments=increments)))
        with pytest.raises(CheckpointMoved):
            other.write(Batch(TALLIES, [Move(None, checkpoint(5))], changes(increments=increments)))
        store.write(Batch(TALLIES, [Move(checkpoint(5), checkpoint(8))], changes(increments=increments)))
        with pytest.raises(CheckpointMoved):
            other.write(Batch(TALLIES, [Move(checkpoint(5), checkpoint(8))], changes(increments=increments)))
        other.close()
        assert self.tallies() == [("a", 1, 6, "none", None)]

    def test_a_build_is_not_dropped_beneath_its_first_batch(self, store: ProjectionStore) -> None:
        other = self.open()
        store.builds.begin(AGAIN, {})
        refused: list[object] = []

        def drop(_tables: OpenTables) -> None:
            try:
                other.builds.drop(AGAIN.key)
            except StoreUnavailable as error:
                refused.append(error)

        store.write(Batch(AGAIN, [Move(None, checkpoint(5))], writers=[drop]))
        assert "lock timeout" in str(refused[0])
        other.builds.drop(AGAIN.key)
        other.close()
        assert store.stored(AGAIN.key).checkpoints == {}

    def test_a_terminated_connection_is_unavailable_once_and_the_batch_is_then_written(
        self, store: ProjectionStore
    ) -> None:
        batch = Batch(TALLIES, tables=changes(puts=[("a", 1, 5, "x", None)]))
        with psycopg.connect(self.url, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'shardlog projector'"
            )
        try:
            store.write(batch)
        except StoreUnavailable:
            store.write(batch)
        assert self.tallies() == [("a", 1, 5, "x", None)]

    def test_another_database_is_refused_without_its_password(self) -> None:
        with pytest.raises(ConfigurationError, match="postgresql://") as raised:
            PostgresqlProjectionStore("mysql://ann:secret@db/x")
        assert "secret" not in str(raised.value)

    @pytest.mark.parametrize("text", ["", "NULL", 'a"b', "a\\b", "{x,y}", "a,b", " a\n\t", "\N{SNOWMAN}", "$1 %s"])
    def test_every_kind_of_value_reads_back_as_it_was(self, text: str) -> None:
        store = self.open()
        store.builds.begin(EVERYTHING, {})
        at, uuid = datetime(2013, 1, 1, 10, 17, 0, 5, tzinfo=UTC), UUID("0d9ab5de-9d0b-4b57-8d6f-6a4a7f6b6a11")
        parts, counts = (text,), {text: 2}
        first = (Colour.RED, at, date(2013, 1, 1), Size.SMALL, Decimal("1E+3"), True, b'\0"\\', None, parts, counts)
        second = (Colour.BLUE, at, date(2013, 1, 1), Size.SMALL, Decimal("0.10"), False, b"", 0.1, (), {})
        puts = TableChanges(Everything, [(*first, uuid), (*second, None)], {}, {}, [])
        keys = TableChanges(OnlyKey, [(text,)], {}, {}, [])
        for _ in range(2):
            store.write(Batch(EVERYTHING, tables=[puts, keys]))
        added = {Columns(("price",), ()): [(Decimal("1000000000000000000000000000000000.2"), Colour.BLUE, at)]}
        store.write(Batch(EVERYTHING, tables=[TableChanges(Everything, [], {}, added, [])]))
        blue, red = self.rows("everything")
        assert red == ("red", at, date(2013, 1, 1), 1, 1000, True, b'\0"\\', None, [text], {text: 2}, uuid)
        assert str(blue[4]) == "1000000000000000000000000000000000.30"
        assert blue[5:] == (False, b"", 0.1, [], {}, None)
        with psycopg.connect(self.url) as connection:
            found = connection.execute(SQL("SELECT * FROM {}").format(Identifier(self.schema, "only_key"))).fetchall()
        assert found == [(text,)]
        store.write(Batch(EVERYTHING, tables=[TableChanges(Everything, [], {}, {}, [(Colour.RED, at)])]))
        assert len(self.rows("everything")) == 1
        store.close()

    @pytest.mark.parametrize("at", [datetime(2013, 1, 1), Decimal("NaN"), "2013-01-01", object(), None])
    def test_a_value_without_a_stored_form_is_refused(self, at: object) -> None:
        store = self.open()
        store.builds.begin(EVERYTHING, {})
        row = (Colour.RED, at, date(2013, 1, 1), Size.SMALL, Decimal(0), True, b"", None, (), {}, None)
        with pytest.raises(RowsRefused, match="'everything_v1'"):
            store.write(Batch(EVERYTHING, tables=[TableChanges(Everything, [row], {}, {}, [])]))
        store.close()

    def test_a_time_is_not_cut_to_a_date(self) -> None:
        store = self.open()
        store.builds.begin(EVERYTHING, {})
        at = datetime(2013, 1, 1, 23, 30, tzinfo=UTC)
        row = (Colour.RED, at, at, Size.SMALL, Decimal(0), True, b"", None, (), {}, None)
        with pytest.raises(RowsRefused, match=r"'everything_v1'.*is a time, and the column holds a date"):
            store.write(Batch(EVERYTHING, tables=[TableChanges(Everything, [row], {}, {}, [])]))
        assert self.rows("everything") == []
        store.close()

    def test_a_text_with_a_zero_character_is_refused(self, store: ProjectionStore) -> None:
        with pytest.raises(RowsRefused, match=r"'label'.*zero character"):
            store.write(Batch(TALLIES, tables=changes(puts=[("a", 1, 5, "x\0", None)])))

    def test_analysts_see_the_docstring_of_a_row_class_as_the_comment_of_its_table(
        self, store: ProjectionStore
    ) -> None:
        with psycopg.connect(self.url) as connection:
            name = f"{Identifier(self.schema, 'contract_tallies').as_string(connection)}"
            assert connection.execute("SELECT obj_description(%s::regclass)", (name,)).fetchone() == (
                "Counted things.",
            )

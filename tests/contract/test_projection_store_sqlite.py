"""The SQL projection store on a SQLite file keeps the contract, and its values read back as they were."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import Path
from uuid import UUID

import pytest

from shardlog import AwareDatetime, Key, Projection, Row
from shardlog.adapters.sql import SqlProjectionStore, teach_decimals
from shardlog.errors import ConfigurationError, RowsRefused, StoreFailed, StoreUnavailable, TableMismatch
from shardlog.model.rows import Index
from shardlog.ports.builds import Build
from shardlog.ports.projections import Batch, Columns, ProjectionStore, TableChanges
from shardlog.testing.contracts.projections import ProjectionStoreContract
from shardlog.testing.contracts.tallies import TALLIES, changes


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Size(IntEnum):
    SMALL = 1


class Everything(Row, name="everything", floats=True):
    """All kinds of values."""

    colour: Key[Colour]
    at: Key[AwareDatetime]
    day: Index[date]
    size: Size
    price: Decimal
    ok: bool
    raw: bytes
    ratio: float | None
    parts: tuple[str, ...]
    counts: Mapping[str, int]
    uuid: UUID | None = None


class Reserved(Row, name="shardlog_mine"):
    key: Key[str]


class OnlyKey(Row, name="only_key"):
    key: Key[str]


EVERYTHING = Build(Projection("everything", rows=[Everything, OnlyKey]), 1)


def taught(path: Path) -> sqlite3.Connection:
    """A connection of the test's own, which knows decimals."""
    connection = sqlite3.connect(path)
    teach_decimals(connection)
    return connection


class TestSqliteFile(ProjectionStoreContract):
    @pytest.fixture(autouse=True)
    def _database(self, tmp_path: Path) -> None:
        self.path = tmp_path / "projections.sqlite"

    def open(self) -> ProjectionStore:
        return SqlProjectionStore(self.path)

    def rows(self, table: str) -> list[tuple[object, ...]]:
        connection = taught(self.path)
        try:
            return connection.execute(f'SELECT * FROM "{table}" ORDER BY 1, 2').fetchall()
        finally:
            connection.close()

    def sql(self, statement: str) -> None:
        connection = sqlite3.connect(self.path, isolation_level=None)
        connection.executescript(statement)
        connection.close()

    def test_every_kind_of_value_has_one_stored_form(self) -> None:
        store = self.open()
        store.builds.begin(EVERYTHING, {})
        at = datetime(2013, 1, 1, 5, 17, tzinfo=timezone(timedelta(hours=-5)))
        uuid = UUID("0d9ab5de-9d0b-4b57-8d6f-6a4a7f6b6a11")
        row = (
            Colour.RED,
            at,
            date(2013, 1, 1),
            Size.SMALL,
            Decimal("1E+3"),
            True,
            b"\0",
            None,
            ("a",),
            {"b": 1, "a": 2},
        )
        store.write(Batch(EVERYTHING, tables=[TableChanges(Everything, [(*row, uuid)], {}, {}, [])]))
        first = ("red", "2013-01-01T10:17:00.000000Z", "2013-01-01", 1, "1000", 1, b"\0", None)
        assert self.rows("everything") == [(*first, '["a"]', '{"a":2,"b":1}', str(uuid))]
        store.write(
            Batch(EVERYTHING, tables=[TableChanges(Everything, [], {}, {}, [(Colour.RED, at.astimezone(UTC))])])
        )
        assert self.rows("everything") == []
        store.close()

    def test_decimals_add_up_exactly(self) -> None:
        store = self.open()
        store.builds.begin(EVERYTHING, {})
        key = (Colour.RED, datetime(2013, 1, 1, tzinfo=UTC))
        rest = (date(2013, 1, 1), Size.SMALL, Decimal("0.10"), True, b"", None, (), {}, None)
        store.write(Batch(EVERYTHING, tables=[TableChanges(Everything, [(*key, *rest)], {}, {}, [])]))
        added = {Columns(("price",), ()): [(Decimal("1000000000000000000000000000000000.2"), *key)]}
        store.write(Batch(EVERYTHING, tables=[TableChanges(Everything, [], {}, added, [])]))
        assert self.rows("everything")[0][4] == "1000000000000000000000000000000000.30"
        store.close()

    def test_a_row_that_is_only_a_key_can_be_put_twice(self) -> None:
        store = self.open()
        store.builds.begin(EVERYTHING, {})
        for _ in range(2):
            store.write(Batch(EVERYTHING, tables=[TableChanges(OnlyKey, [("a",)], {}, {}, [])]))
        connection = taught(self.path)
        assert connection.execute("SELECT * FROM only_key").fetchall() == [("a",)]
        connection.close()
        store.close()

    @pytest.mark.parametrize("at", [datetime(2013, 1, 1), Decimal("NaN"), "\ud800", object()])
    def test_a_value_without_a_stored_form_is_refused(self, at: object) -> None:
        store = self.open()
        store.builds.begin(EVERYTHING, {})
        rest = (date(2013, 1, 1), Size.SMALL, Decimal(0), True, b"", None, (), {}, None)
        batch = Batch(EVERYTHING, tables=[TableChanges(Everything, [(Colour.RED, at, *rest)], {}, {}, [])])
        with pytest.raises(RowsRefused, match="'everything'"):
            store.write(batch)
        store.close()

    def test_a_time_is_not_kept_as_a_date(self) -> None:
        store = self.open()
        store.builds.begin(EVERYTHING, {})
        at = datetime(2013, 1, 1, 23, 30, tzinfo=timezone(timedelta(hours=-5)))
        row = (Colour.RED, at, at, Size.SMALL, Decimal(0), True, b"", None, (), {}, None)
        with pytest.raises(RowsRefused, match=r"'everything_v1'.*is a time, and the column holds a date"):
            store.write(Batch(EVERYTHING, tables=[TableChanges(Everything, [row], {}, {}, [])]))
        assert self.rows("everything") == []
        store.close()

    def test_columns_marked_index_have_an_index(self) -> None:
        store = self.open()
        store.builds.begin(EVERYTHING, {})
        connection = taught(self.path)
        plan = connection.execute("EXPLAIN QUERY PLAN SELECT * FROM everything WHERE day = '2013-01-01'").fetchall()
        connection.close()
        assert "everything_v1_by_day" in plan[0][3]
        store.close()

    @pytest.mark.parametrize(
        ("tampering", "said"),
        [
            (
                "DROP VIEW contract_tallies; ALTER TABLE contract_tallies_v1 DROP COLUMN note",
                "column 'note' is missing",
            ),
            ("ALTER TABLE contract_tallies_v1 RENAME COLUMN n TO m", "column 'n' is missing; column 'm' is not in"),
            ("DROP TABLE contract_tallies_v1", "'contract_tallies_v1' is missing"),
        ],
    )
    def test_a_table_changed_by_hand_is_named_when_it_is_written_to(
        self, store: ProjectionStore, tampering: str, said: str
    ) -> None:
        self.sql(tampering)
        with pytest.raises(TableMismatch, match=said):
            store.write(Batch(TALLIES, tables=changes(puts=[("a", 1, 5, "x", None)])))

    def test_a_column_of_another_type_is_named(self, store: ProjectionStore) -> None:
        self.sql("DROP TABLE contract_tallies_v1")
        self.sql(
            "CREATE TABLE contract_tallies_v1 "
            "(kind TEXT NOT NULL, number INTEGER NOT NULL, n TEXT, label TEXT, note TEXT)"
        )
        with pytest.raises(TableMismatch, match=r"'n' is TEXT, and the row class makes it INTEGER.*its key is \(\)"):
            store.prepare(TALLIES)

    def test_a_name_of_shardlogs_own_is_refused(self) -> None:
        store = self.open()
        with pytest.raises(ConfigurationError, match="'shardlog_mine'"):
            store.builds.begin(Build(Projection("mine", rows=[Reserved]), 1), {})
        store.close()

    def test_a_database_locked_by_another_is_unavailable_and_unchanged(self, store: ProjectionStore) -> None:
        impatient = SqlProjectionStore(f"sqlite:///{self.path}", lock_wait_ms=0)
        other = sqlite3.connect(self.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="locked"):
            impatient.write(Batch(TALLIES, tables=changes(puts=[("a", 1, 5, "x", None)])))
        other.execute("ROLLBACK")
        other.close()
        impatient.write(Batch(TALLIES, tables=changes(puts=[("a", 1, 5, "x", None)])))
        impatient.close()
        assert len(self.tallies()) == 1

    def test_a_file_that_is_no_database_is_refused(self) -> None:
        self.path.write_bytes(b"not a database, and long enough to be seen as none" * 100)
        with pytest.raises(StoreFailed, match="not a database"):
            self.open()

    def test_a_database_without_statements_is_refused(self) -> None:
        with pytest.raises(ConfigurationError, match="'oracle'"):
            SqlProjectionStore("oracle://localhost/x")

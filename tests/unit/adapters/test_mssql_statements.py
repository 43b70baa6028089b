"""Statements for SQL Server compile, and read as its SQL; no server has run them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
import sqlglot
from sqlalchemy import Dialect
from sqlalchemy.dialects import mssql
from sqlalchemy.schema import CreateIndex, CreateTable

from shardlog import AwareDatetime, Key, Projection, Row
from shardlog.adapters.sql import SqlProjectionStore
from shardlog.adapters.sql.dialects.mssql_types import speak_mssql
from shardlog.adapters.sql.statements import TableStatements
from shardlog.adapters.sql.tables import BUILDS, CHECKPOINTS, DEAD_LETTERS, OWNERS, REBUILDS, row_table
from shardlog.errors import ConfigurationError
from shardlog.model.rows import Index
from shardlog.ports.builds import Build
from shardlog.ports.projections import Columns, TableChanges
from shardlog.ports.rows import table_shape


class Movement(Row, name="movements"):
    """What moved on accounts."""

    account: Key[str]
    at: Key[AwareDatetime]
    label: Index[str] = ""
    amount: int = 0
    fees: Decimal = Decimal(0)
    settled: bool = False
    raw: bytes = b""
    tags: tuple[str, ...] = ()


class OnlyKey(Row, name="only_key"):
    order: Key[str]


class Ran:
    """Notes what a connection is told to run."""

    def __init__(self) -> None:
        self.statements: list[tuple[str, list[tuple[object, ...]]]] = []

    def exec_driver_sql(self, text: str, rows: list[tuple[object, ...]]) -> None:
        self.statements.append((" ".join(text.split()), rows))


BUILD = Build(Projection("movements", rows=[Movement, OnlyKey]), 1)
AT = datetime(2013, 1, 1, 10, 17, tzinfo=UTC)
KEY = ("a", AT)
ROW = (*KEY, "x", 1, Decimal("0.10"), True, b"\0", ("t",))
STORED = ("a", "2013-01-01T10:17:00.000000 +00:00", "x", 1, Decimal("0.10"), 1, b"\0", '["t"]')


@pytest.fixture
def dialect() -> Dialect:
    dialect: Dialect = mssql.dialect(paramstyle="qmark")  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it so
    speak_mssql(dialect)
    return dialect


def ran(dialect: Dialect, row: type[Row], changes: TableChanges) -> list[tuple[str, list[tuple[object, ...]]]]:
    connection = Ran()
    TableStatements(row_table(BUILD, row), table_shape(row), dialect).write(connection, changes)  # type: ignore[arg-type]  # the one method that is used
    for text, rows in connection.statements:
        assert len(sqlglot.parse(text, read="tsql")) == 1
        assert all(text.count("?") == len(values) for values in rows)
    return connection.statements


def test_tables_are_in_its_types(dialect: Dialect) -> None:
    table = row_table(BUILD, Movement)
    ddl = str(CreateTable(table).compile(dialect=dialect))
    assert "account NVARCHAR(400) COLLATE Latin1_General_100_BIN2 NOT NULL" in ddl
    assert "at DATETIMEOFFSET(6) NOT NULL" in ddl
    assert "amount BIGINT NOT NULL" in ddl
    assert "fees DECIMAL(38, 10) NOT NULL" in ddl
    assert "settled BIT NOT NULL" in ddl
    assert "raw VARBINARY(max) NOT NULL" in ddl
    for made in (table, BUILDS, CHECKPOINTS, DEAD_LETTERS, OWNERS, REBUILDS):
        assert sqlglot.parse_one(str(CreateTable(made).compile(dialect=dialect)), read="tsql")
        for index in made.indexes:
            assert sqlglot.parse_one(str(CreateIndex(index).compile(dialect=dialect)), read="tsql")


def test_a_put_is_a_merge_that_holds_the_keys_place(dialect: Dialect) -> None:
    ((text, rows),) = ran(dialect, Movement, TableChanges(Movement, [ROW], {}, {}, []))
    assert text.startswith(
        "MERGE INTO movements_v1 WITH (HOLDLOCK) USING (SELECT CAST(? AS NVARCHAR(400)) AS account, "
        "CAST(? AS DATETIMEOFFSET(6)) AS at, "
    )
    assert (
        " ON (movements_v1.account = given.account AND movements_v1.at = given.at) WHEN MATCHED THEN UPDATE SET "
        in text
    )
    assert text.endswith("given.raw, given.tags);")
    assert rows == [STORED]


def test_an_increment_adds_to_the_row_that_is_there(dialect: Dialect) -> None:
    group = {Columns(("amount", "fees"), ("label",)): [(*ROW, 5, Decimal(2), "y")]}
    ((text, rows),) = ran(dialect, Movement, TableChanges(Movement, [], group, {}, []))
    assert "SET amount = movements_v1.amount + ?, fees = movements_v1.fees + ?, label = ? WHEN NOT MATCHED" in text
    assert rows == [(*STORED, 5, Decimal(2), "y")]


def test_a_row_that_is_only_a_key_is_left_as_it_is_and_names_are_quoted(dialect: Dialect) -> None:
    ((text, _),) = ran(dialect, OnlyKey, TableChanges(OnlyKey, [("a",)], {}, {}, []))
    assert "MATCHED THEN UPDATE" not in text
    assert "only_key_v1.[order] = given.[order]" in text


def test_updates_and_removes_are_plain(dialect: Dialect) -> None:
    group = {Columns(("amount",), ()): [(5, *KEY)]}
    removed, updated = ran(dialect, Movement, TableChanges(Movement, [], {}, group, [KEY]))
    assert removed[0].startswith("DELETE FROM movements_v1 WHERE ")
    assert updated[0].startswith("UPDATE movements_v1 SET amount=")


@pytest.mark.parametrize("row", [("a ", *ROW[1:]), ("a" * 401, *ROW[1:]), (*ROW[:4], Decimal("1e-11"), *ROW[5:])])
def test_what_the_server_would_change_silently_is_refused(dialect: Dialect, row: tuple[object, ...]) -> None:
    with pytest.raises(ValueError, match="SQL Server"):
        ran(dialect, Movement, TableChanges(Movement, [row], {}, {}, []))


def test_no_url_opens_one() -> None:
    with pytest.raises(ConfigurationError, match="none has run what is made here") as raised:
        SqlProjectionStore("mssql+pyodbc://ann:secret@db/x")
    assert "secret" not in str(raised.value)

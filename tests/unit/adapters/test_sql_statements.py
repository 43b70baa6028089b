"""Statements are right for PostgreSQL too: its SQL, its parameters' types and their order."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import Dialect
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from shardlog import Key, Projection, Row
from shardlog.adapters.sql.statements import TableStatements
from shardlog.adapters.sql.tables import row_table
from shardlog.ports.builds import Build
from shardlog.ports.projections import Columns, TableChanges
from shardlog.ports.rows import table_shape


class Balance(Row, name="balances"):
    """What is on accounts."""

    account: Key[str]
    balance: int = 0
    fees: Decimal = Decimal(0)
    tags: tuple[str, ...] = ()


class Ran:
    """Notes what a connection is told to run."""

    def __init__(self) -> None:
        self.statements: list[tuple[str, list[tuple[object, ...]]]] = []

    def exec_driver_sql(self, text: str, rows: list[tuple[object, ...]]) -> None:
        self.statements.append((" ".join(text.split()), rows))


PROJECTION = Projection("balances", rows=[Balance])


def ran(changes: TableChanges) -> list[tuple[str, list[tuple[object, ...]]]]:
    dialect: Dialect = postgresql.dialect(paramstyle="format")  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it so
    connection = Ran()
    statements = TableStatements(row_table(Build(PROJECTION, 1), Balance), table_shape(Balance), dialect)
    statements.write(connection, changes)  # type: ignore[arg-type]  # the one method that is used
    return connection.statements


def test_postgresql_has_its_own_types_for_what_sqlite_keeps_as_text() -> None:
    ddl = str(CreateTable(row_table(Build(PROJECTION, 1), Balance)).compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]  # as above
    assert "balance BIGINT NOT NULL" in ddl
    assert "fees NUMERIC NOT NULL" in ddl
    assert "tags JSONB NOT NULL" in ddl


def test_an_increment_is_an_upsert_that_adds_decimals_and_ints_alike() -> None:
    row = ("a", 1, Decimal(2), (), 1, Decimal(2))
    ((text, rows),) = ran(TableChanges(Balance, [], {Columns(("balance", "fees"), ()): [row]}, {}, []))
    assert text == (
        "INSERT INTO balances_v1 (account, balance, fees, tags) "
        "VALUES (%s::VARCHAR, %s::BIGINT, %s, %s::JSONB) ON CONFLICT (account) "
        "DO UPDATE SET balance = (balances_v1.balance + %s::BIGINT), fees = (balances_v1.fees + %s)"
    )
    assert rows == [("a", 1, Decimal(2), "[]", 1, Decimal(2))]


def test_parameters_follow_the_order_in_which_the_statement_names_them() -> None:
    row = (Decimal(2), ("x",), 5, "a")
    ((text, rows),) = ran(TableChanges(Balance, [], {}, {Columns(("fees",), ("tags", "balance")): [row]}, []))
    assert text == (
        "UPDATE balances_v1 SET balance=%s::BIGINT, fees=(balances_v1.fees + %s), tags=%s::JSONB "
        "WHERE balances_v1.account = %s::VARCHAR"
    )
    assert rows == [(5, Decimal(2), '["x"]', "a")]


def test_puts_and_removes_are_one_statement_each() -> None:
    put, remove = ("a", 1, Decimal(2), ()), ("b",)
    removed, inserted = ran(TableChanges(Balance, [put], {}, {}, [remove]))
    assert removed == ("DELETE FROM balances_v1 WHERE balances_v1.account = %s::VARCHAR", [("b",)])
    assert inserted[0].endswith("SET balance = excluded.balance, fees = excluded.fees, tags = excluded.tags")

"""Statements are right for MariaDB: its SQL, its types, and the order of parameters."""

from __future__ import annotations

from decimal import Decimal

import pytest
from sqlalchemy.schema import CreateIndex, CreateTable

from shardlog import Key, Projection, Row
from shardlog.adapters.sql.engine import open_engine
from shardlog.adapters.sql.statements import TableStatements
from shardlog.adapters.sql.tables import DEAD_LETTERS, row_table
from shardlog.errors import ConfigurationError
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
        self.info = {"shardlog_packet_bytes": 1_000}
        self.statements: list[tuple[str, list[tuple[object, ...]]]] = []

    def exec_driver_sql(self, text: str, rows: list[tuple[object, ...]]) -> None:
        self.statements.append((" ".join(text.split()), rows))


BUILD = Build(Projection("balances", rows=[Balance]), 1)
DIALECT = open_engine("mariadb://ann@db/x", 5_000).dialect


def ran(changes: TableChanges) -> list[tuple[str, list[tuple[object, ...]]]]:
    connection = Ran()
    statements = TableStatements(row_table(BUILD, Balance), table_shape(Balance), DIALECT)
    statements.write(connection, changes)  # type: ignore[arg-type]  # the two attributes that are used
    return connection.statements


def test_a_table_compares_texts_byte_for_byte_and_its_key_has_a_length() -> None:
    ddl = str(CreateTable(row_table(BUILD, Balance)).compile(dialect=DIALECT))
    assert "account VARCHAR(700) NOT NULL" in ddl
    assert "balance BIGINT NOT NULL" in ddl
    assert "fees DECIMAL(65, 20) NOT NULL" in ddl
    assert "tags LONGTEXT NOT NULL" in ddl
    assert "ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin COMMENT=" in ddl


def test_an_index_holds_the_beginning_of_a_long_text() -> None:
    (index,) = DEAD_LETTERS.indexes
    assert "category(190), id(190))" in str(CreateIndex(index).compile(dialect=DIALECT))


def test_an_increment_by_what_is_inserted_is_one_statement_for_all_rows() -> None:
    row = ("a", 1, Decimal(2), (), 1, Decimal(2))
    ((text, rows),) = ran(TableChanges(Balance, [], {Columns(("balance", "fees"), ()): [row]}, {}, []))
    assert text == (
        "INSERT INTO balances_v1 (account, balance, fees, tags) VALUES (%s, %s, %s, %s) ON DUPLICATE KEY UPDATE "
        "balance = (balances_v1.balance + VALUES(balance)), fees = (balances_v1.fees + VALUES(fees))"
    )
    assert rows == [("a", 1, Decimal(2), "[]")]


def test_an_increment_by_something_else_than_is_inserted_has_parameters_of_its_own() -> None:
    alike, other = ("a", 1, Decimal(2), (), 1), ("b", 5, Decimal(2), (), 1)
    first, second = ran(TableChanges(Balance, [], {Columns(("balance",), ()): [alike, other]}, {}, []))
    assert first[1] == [("a", 1, Decimal(2), "[]")]
    assert second[0].endswith("ON DUPLICATE KEY UPDATE balance = (balances_v1.balance + %s)")
    assert second[1] == [("b", 5, Decimal(2), "[]", 1)]


def test_parameters_follow_the_order_in_which_the_statement_names_them() -> None:
    row = (Decimal(2), ("x",), 5, "a")
    ((text, rows),) = ran(TableChanges(Balance, [], {}, {Columns(("fees",), ("tags", "balance")): [row]}, []))
    assert (
        text
        == "UPDATE balances_v1 SET balance=%s, fees=(balances_v1.fees + %s), tags=%s WHERE balances_v1.account = %s"
    )
    assert rows == [(5, Decimal(2), '["x"]', "a")]


def test_puts_and_removes_are_one_statement_each() -> None:
    put, remove = ("a", 1, Decimal(2), ()), ("b",)
    removed, inserted = ran(TableChanges(Balance, [put], {}, {}, [remove]))
    assert removed == ("DELETE FROM balances_v1 WHERE balances_v1.account = %s", [("b",)])
    assert inserted[0].endswith("UPDATE balance = VALUES(balance), fees = VALUES(fees), tags = VALUES(tags)")


def test_a_row_that_the_server_would_end_the_connection_for_is_refused() -> None:
    with pytest.raises(ValueError, match="max_allowed_packet is 1000"):
        ran(TableChanges(Balance, [("a" * 200, 1, Decimal(2), ())], {}, {}, []))


def test_a_database_without_statements_is_refused() -> None:
    for url, said in (("oracle://ann@db/x", "'oracle'"), ("postgresql://ann@db/x", "a store of its own")):
        with pytest.raises(ConfigurationError, match=said):
            open_engine(url, 5_000)

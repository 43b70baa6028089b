"""A caller's own SELECT: what a database or its driver raises comes out as one of our errors, at any moment."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from shardlog.adapters.postgresql.select_only import PostgresqlTables
from shardlog.adapters.sql.select_only import SqliteTables
from shardlog.errors import QueryRefused, StoreFailed, StoreUnavailable
from shardlog.ports.tables import Tables


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tables.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("CREATE TABLE numbers (n INTEGER); INSERT INTO numbers VALUES (1), (2), (0)")
    return path


def rows(tables: Tables, sql: str) -> list[tuple[object, ...]]:
    with tables.select(sql) as selected:
        return list(selected.rows)


def test_rows_come_with_the_names_of_their_columns(file: Path, postgresql: str) -> None:
    with SqliteTables(file).select("SELECT n, n + 1 AS more FROM numbers ORDER BY n") as selected:
        assert (selected.columns, list(selected.rows)) == (("n", "more"), [(0, 1), (1, 2), (2, 3)])
    with PostgresqlTables(postgresql, "public").select("SELECT 1 AS n, '50%' AS share;") as selected:
        assert (selected.columns, list(selected.rows)) == (("n", "share"), [(1, "50%")])


def test_what_fails_while_rows_are_fetched_is_refused(file: Path, postgresql: str) -> None:
    with pytest.raises(QueryRefused, match="integer overflow"):
        rows(SqliteTables(file), "SELECT abs(-9223372036854775807 - 1) FROM numbers")
    with pytest.raises(QueryRefused, match="division by zero"):
        rows(PostgresqlTables(postgresql, "public"), "SELECT 1 / (3 - n) FROM generate_series(1, 5) AS n")


def test_a_file_that_is_no_database_has_failed(tmp_path: Path) -> None:
    path = tmp_path / "tables.sqlite"
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(StoreFailed, match="not a database"):
        rows(SqliteTables(path), "SELECT 1")


def test_a_file_that_is_locked_is_unavailable(file: Path) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreUnavailable, match="locked"):
            rows(SqliteTables(file, lock_wait_ms=1), "SELECT * FROM numbers")


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(StoreUnavailable, match="reading tables"):
        rows(PostgresqlTables("postgresql://nobody@127.0.0.1:1/none", "public"), "SELECT 1")


def test_a_connection_that_is_ended_meanwhile_is_unavailable(postgresql: str) -> None:
    tables = PostgresqlTables(postgresql, "public")
    with tables.select("SELECT pg_backend_pid() FROM generate_series(1, 100000)") as selected:
        (pid,) = next(selected.rows)
        with psycopg.connect(postgresql, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s)", (pid,))
        with pytest.raises(StoreUnavailable, match="reading tables"):
            list(selected.rows)


def test_a_schema_may_have_any_name(postgresql: str, postgresql_schema: str) -> None:
    with psycopg.connect(postgresql) as connection:
        connection.execute(psycopg.sql.SQL("CREATE SCHEMA {}").format(psycopg.sql.Identifier(postgresql_schema)))
    assert rows(PostgresqlTables(postgresql, postgresql_schema), "SELECT current_schema()") == [(postgresql_schema,)]

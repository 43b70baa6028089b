"""A PostgreSQL schema's tables, read by any SELECT and by nothing else."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg
from psycopg.sql import SQL, Identifier

from shardlog.adapters.postgresql.connecting import CONNECT_SECONDS
from shardlog.adapters.postgresql.faults import fault
from shardlog.errors import QueryRefused, RowsRefused
from shardlog.ports.tables import Selected, Tables

FETCH_ROWS = 2_000


class PostgresqlTables(Tables):
    """url: postgresql://user@host:port/database, for libpq. schema: where the tables are.

    A cursor is declared for the SELECT in a transaction that only reads: the server takes nothing else there, one
    statement, and rows come as they are fetched.
    """

    def __init__(self, url: str, schema: str) -> None:
        self._url = url
        self._schema = schema

    @contextmanager
    def select(self, sql: str) -> Iterator[Selected]:
        with _mapped(), psycopg.connect(self._url, connect_timeout=CONNECT_SECONDS) as connection:
            connection.read_only = True
            connection.execute(SQL("SET search_path TO {}").format(Identifier(self._schema)))
            with connection.cursor("shardlog_select") as cursor:
                cursor.itersize = FETCH_ROWS
                cursor.execute(sql.encode())
                columns = tuple(column.name for column in cursor.description or ())
                with closing(_rows(cursor)) as rows:  # before its cursor, however far it was read
                    yield Selected(columns, rows)


def _rows(cursor: psycopg.ServerCursor[Any]) -> Generator[tuple[object, ...], None, None]:
    with _mapped():
        yield from cursor


@contextmanager
def _mapped() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        found = fault(error, "reading tables")
        if isinstance(found, RowsRefused):
            raise QueryRefused(
                f"PostgreSQL does not run this as a SELECT: {error.diag.message_primary or error}"
            ) from error
        raise found from error

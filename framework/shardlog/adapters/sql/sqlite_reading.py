"""Reading projections' tables in a SQLite file: a connection that can do nothing but read, and not for ever."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, Connection, CursorResult, Engine, TextClause, create_engine, event, exc
from sqlalchemy.engine import URL

from shardlog.adapters.sql.decimals import teach_decimals
from shardlog.adapters.sql.reading import SqlProjectionReader
from shardlog.errors import StoreUnavailable
from shardlog.ports.reading import ResultColumn
from shardlog.ports.rows import Column, Kind

LOCK_WAIT_SECONDS = 5.0
STEPS = 10_000
"""Of SQLite's machine, between two looks at the clock."""
_ALLOWED = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE, sqlite3.SQLITE_TRANSACTION})
_REFUSED_FUNCTIONS = frozenset({"load_extension", "writefile", "readfile", "edit", "fts3_tokenizer"})


class SqliteProjectionReader(SqlProjectionReader):
    """file: of the tables, made by whoever keeps them. connections_max: that are open at once.

    Raises StoreUnavailable where there is no such file yet.
    """

    def __init__(self, file: Path, *, statement_timeout_ms: int, connections_max: int) -> None:
        if not file.is_file():
            raise StoreUnavailable(
                f"{file} does not exist yet: it is made by whoever keeps the projections. Start that"
            )
        super().__init__(_engine(file, connections_max), statement_timeout_ms)

    def _begin_statement(self, connection: Connection) -> None:
        give_up = time.monotonic() + self._timeout_ms / 1000
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        driver.set_progress_handler(lambda: int(time.monotonic() > give_up), STEPS)

    def _is_timeout(self, error: exc.DBAPIError) -> bool:
        return getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT

    def _shown(self, column: Column, expression: ColumnElement[Any]) -> ColumnElement[Any]:
        return expression

    def _restore(self, kind: Kind | None) -> Callable[[Any], object] | None:
        return None if kind is None else _RESTORE.get(kind)

    def _described(self, result: CursorResult[Any]) -> Sequence[ResultColumn]:
        return [ResultColumn(name, None) for name in result.keys()]  # noqa: SIM118

    def _prepared(self, connection: Connection, statement: TextClause) -> Sequence[ResultColumn]:
        """EXPLAIN compiles it. Its columns are known where a limit of no rows can stand around it."""
        compiled = statement.compile(dialect=connection.dialect)
        values = [compiled.params[name] for name in compiled.positiontup or ()]
        connection.exec_driver_sql(f"EXPLAIN {compiled}", tuple(values)).close()
        none = f"SELECT * FROM ({compiled}) LIMIT 0"  # noqa: S608  # of a file; connections can only read
        names = list(connection.exec_driver_sql(none, tuple(values)).keys())
        return [ResultColumn(_unnumbered(name, names), None) for name in names]


def _unnumbered(name: str, names: Sequence[str]) -> str:
    """SQLite calls the second column of one name `name:1` where a statement stands around it."""
    first, _, number = name.rpartition(":")
    return first if number.isdecimal() and first in names else name


def _json(stored: str) -> object:
    return msgspec.Raw(stored.encode())


_RESTORE: Mapping[Kind, Callable[[Any], object]] = {
    "boolean": bool,
    "decimal": Decimal,
    "time": datetime.fromisoformat,
    "date": date.fromisoformat,
    "uuid": UUID,
    "json": _json,
}
"""What SQLite keeps in another form."""


def _engine(file: Path, connections_max: int) -> Engine:
    """mode=ro: SQLite itself writes nothing. A WAL file is read through shared memory, kept beside it."""
    url = URL.create("sqlite", database=f"file:{quote(str(file.resolve()))}", query={"mode": "ro", "uri": "true"})
    engine = create_engine(
        url,
        pool_size=connections_max,
        max_overflow=0,
        pool_timeout=LOCK_WAIT_SECONDS,
        connect_args={"timeout": LOCK_WAIT_SECONDS, "check_same_thread": False},
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    return engine


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    """The last line closes the door: from there on a statement may read, and nothing else, whatever its text is."""
    connection.isolation_level = None
    for pragma in ("query_only=ON", "temp_store=MEMORY", "trusted_schema=OFF", "case_sensitive_like=ON"):
        connection.execute(f"PRAGMA {pragma}")
    teach_decimals(connection)
    connection.set_authorizer(_authorize)


def _authorize(action: int, name: str | None, other: str | None, _database: str | None, _by: str | None) -> int:
    if action == sqlite3.SQLITE_FUNCTION:
        return sqlite3.SQLITE_DENY if (other or "").lower() in _REFUSED_FUNCTIONS else sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_PRAGMA:  # SQLAlchemy asks for it, and it says nothing but 0
        return sqlite3.SQLITE_OK if name == "read_uncommitted" and other is None else sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY

"""SQLite: STRICT tables, where what has no type of its own is text in a form that reads back unchanged."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Dialect, Engine, create_engine, event, func
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import URL

from shardlog.adapters.sql.decimals import DECIMAL_ADD, teach_decimals
from shardlog.adapters.sql.dialects.dialect import WRITES, Compiled, SqlDialect, Upsert, compiled
from shardlog.adapters.sql.values import Convert, date_text, decimal_text, enum_value, json_text, time_text
from shardlog.errors import ProjectionError, RowsRefused, StoreFailed, StoreUnavailable
from shardlog.ports.rows import Column, Kind, TableShape

_LATER = frozenset(
    {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM,
     sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_SCHEMA}
)  # fmt: skip
_NEVER = frozenset(
    {sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_CANTOPEN,
     sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_AUTH, sqlite3.SQLITE_NOLFS, sqlite3.SQLITE_INTERNAL}
)  # fmt: skip
_CONVERT: Mapping[Kind, Convert] = {
    "enum": enum_value,
    "int_enum": enum_value,
    "json": json_text,
    "time": time_text,
    "decimal": decimal_text,
    "date": date_text,
    "uuid": str,
}
_SHOWN: Mapping[Kind, Callable[[Any], object]] = {"boolean": bool, "json": lambda text: msgspec.Raw(text.encode())}
"""What is kept in another form than the one to be shown; times, dates and decimals are texts there already."""


class SqliteDialect(SqlDialect):
    """SQLite, by Python's own driver."""

    name = "sqlite"

    def open(self, url: URL, lock_wait_ms: int) -> Engine:
        engine = create_engine(url, connect_args={"timeout": lock_wait_ms / 1000})
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "begin", _begin)
        return engine

    def converter(self, column: Column, shape: TableShape) -> Convert | None:
        return _CONVERT.get(column.kind)

    def put(self, upsert: Upsert, dialect: Dialect) -> Compiled:
        insert = sqlite.insert(upsert.table).values(dict(upsert.inserted))
        others = {name: insert.excluded[name] for name in upsert.inserted if name not in upsert.keys}
        return _upsert(insert, upsert, others, dialect)

    def increment(self, upsert: Upsert, dialect: Dialect) -> Compiled:
        insert = sqlite.insert(upsert.table).values(dict(upsert.inserted))
        return _upsert(insert, upsert, upsert.changed, dialect)

    def added(self, column: ColumnElement[Any], amount: ColumnElement[Any]) -> ColumnElement[Any]:
        """Decimals are kept as text, and texts have no sum of their own."""
        if getattr(column.type, "asdecimal", False):
            return getattr(func, DECIMAL_ADD)(column, amount)  # type: ignore[no-any-return]  # a function of our own
        return column + amount

    def kind(self, origin: BaseException) -> type[ProjectionError] | None:
        if not isinstance(origin, sqlite3.Error):
            return None
        code = getattr(origin, "sqlite_errorcode", None)
        if not isinstance(code, int):
            return RowsRefused if isinstance(origin, sqlite3.DataError | sqlite3.IntegrityError) else None
        if code & 0xFF in _LATER:
            return StoreUnavailable
        return StoreFailed if code & 0xFF in _NEVER else RowsRefused

    def shown(self, column: Column, value: Any) -> object:
        return _SHOWN[column.kind](value) if column.kind in _SHOWN else value


def _upsert(
    insert: sqlite.Insert, upsert: Upsert, changed: Mapping[str, ColumnElement[Any]], dialect: Dialect
) -> Compiled:
    keys = list(upsert.keys)
    if not changed:
        return compiled(insert.on_conflict_do_nothing(index_elements=keys), dialect)
    return compiled(insert.on_conflict_do_update(index_elements=keys, set_=dict(changed)), dialect)


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    """WAL, so that readers never wait for the projector; NORMAL, which may lose the last transactions when power fails.

    Losing some is harmless: rows and checkpoint are lost together, and what is behind the checkpoint is read again.
    """
    connection.isolation_level = None  # the driver begins nothing by itself: _begin does
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "temp_store=MEMORY", "cache_size=-65536"):
        connection.execute(f"PRAGMA {pragma}")
    teach_decimals(connection)


def _begin(connection: Connection) -> None:
    """A writer takes the lock at the beginning: one that took it later could find that another was first."""
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

"""Engines: how connections begin transactions, and what SQLite is told for a projection's sake."""

from __future__ import annotations

import sqlite3
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url

from shardlog.adapters.sql.statements import DECIMAL_ADD
from shardlog.adapters.sql.values import decimal_text
from shardlog.errors import ConfigurationError
from shardlog.ports.rows import exact_sum

WRITES = "shardlog_writes"
"""The execution option of a connection that is going to write: SQLite then takes its lock at the beginning."""


def open_engine(database: str | Path | URL, lock_wait_ms: int) -> Engine:
    """An engine for a SQLAlchemy URL, or for the path of a SQLite file.

    lock_wait_ms: how long SQLite waits for another's lock.
    Raises ConfigurationError for a database that the store has no statements for.
    """
    url = _url(database)
    backend = url.get_backend_name()
    if backend == "sqlite":
        engine = create_engine(url, connect_args={"timeout": lock_wait_ms / 1000})
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    if backend == "postgresql":
        return create_engine(url, paramstyle="format", pool_pre_ping=True)
    raise ConfigurationError(
        f"projections are kept in SQLite or PostgreSQL, and {url.render_as_string()!r} is {backend!r}. "
        "Give a sqlite:// or postgresql+psycopg:// URL, or the path of a SQLite file."
    )


def _url(database: str | Path | URL) -> URL:
    if isinstance(database, URL) or (isinstance(database, str) and "://" in database):
        return make_url(database)
    return URL.create("sqlite", database=str(database))


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    """WAL, so that readers never wait for the projector; NORMAL, which may lose the last transactions when power fails.

    Losing some is harmless: rows and checkpoint are lost together, and what is behind the checkpoint is read again.
    """
    connection.isolation_level = None  # the driver begins nothing by itself: _begin_sqlite does
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "temp_store=MEMORY", "cache_size=-65536"):
        connection.execute(f"PRAGMA {pragma}")
    connection.create_function(DECIMAL_ADD, 2, _decimal_add, deterministic=True)


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _decimal_add(stored: Any, amount: Any) -> str:
    return decimal_text(exact_sum(Decimal(stored), Decimal(amount)))

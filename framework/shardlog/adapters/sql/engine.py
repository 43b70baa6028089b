"""Engines: a database's URL, or the path of a SQLite file, as connections that are told what a projection needs."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.engine import URL, make_url

from shardlog.adapters.sql.dialects import WRITES, dialect_named

__all__ = ["WRITES", "open_engine"]


def open_engine(database: str | Path | URL, lock_wait_ms: int) -> Engine:
    """An engine for a SQLAlchemy URL, or for the path of a SQLite file.

    lock_wait_ms: how long the database waits for another's lock; MariaDB counts in whole seconds, 1 at least.
    Raises ConfigurationError for a database that the store has no statements for, or none that a server has run.
    """
    url = _url(database)
    return dialect_named(url.get_backend_name()).open(url, lock_wait_ms)


def _url(database: str | Path | URL) -> URL:
    if isinstance(database, URL) or (isinstance(database, str) and "://" in database):
        return make_url(database)
    return URL.create("sqlite", database=str(database))

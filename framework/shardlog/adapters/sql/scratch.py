"""A SQLite file for tables that somebody looks at: a new one, which no projector can go on from."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from shardlog.adapters.sql.select_only import SqliteTables
from shardlog.adapters.sql.store import SqlProjectionStore
from shardlog.adapters.sql.tables import INTERNAL_PREFIX
from shardlog.errors import ConfigurationError
from shardlog.ports.projections import ProjectionStore
from shardlog.ports.scratch import Scratch


class SqliteScratch(Scratch):
    """path: where the file is made, and stays once it is finished; None for a temporary one.

    Raises ConfigurationError where there is one already.
    """

    def __init__(self, path: Path | None) -> None:
        if path is not None and path.exists():
            raise ConfigurationError(f"{path} is there already: tables as they were are built in a new file")
        self._folder = Path(tempfile.mkdtemp(prefix="shardlog-")) if path is None else None
        self._path = path or Path(str(self._folder)) / "tables.sqlite"
        self._is_finished = False
        self._store = SqlProjectionStore(self._path)

    @property
    def store(self) -> ProjectionStore:
        return self._store

    def finished(self) -> SqliteTables:
        self._store.close()
        with closing(sqlite3.connect(self._path, isolation_level=None)) as connection:
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                if name.startswith(INTERNAL_PREFIX):
                    connection.execute(f'DROP TABLE "{name}"')  # names of our own
        self._is_finished = True
        return SqliteTables(self._path)

    def close(self) -> None:
        self._store.close()
        if self._folder is not None:
            shutil.rmtree(self._folder)
        elif not self._is_finished:
            for ending in ("", "-wal", "-shm"):
                Path(f"{self._path}{ending}").unlink(missing_ok=True)

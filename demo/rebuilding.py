"""The check of a rebuild: the tables, built again from the journal beside those that were kept."""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path

from demo.log import Log
from shardlog.adapters.sql.store import SqlProjectionStore
from shardlog.model.application import Application
from shardlog.model.projection import Projection
from shardlog.projector.runner import Projector


def rebuild_differs(log: Log, database: Path, application: Application, projection: Projection) -> list[str]:
    """Build a projection from nothing in a scratch database. Returns the names of tables whose rows differ from those
    in this SQLite file."""
    with tempfile.TemporaryDirectory() as scratch:
        rebuilt = Path(scratch) / "rebuilt.sqlite"
        store = SqlProjectionStore(rebuilt)
        try:
            Projector(log.journal, log.id, log.shards, application, [projection], store).drain()
        finally:
            store.close()
        tables = [row.__wire_name__ for row in projection.rows]
        return [name for name in tables if _rows(database, name) != _rows(rebuilt, name)]


def _rows(database: Path, table: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)
    try:
        found = connection.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608  # a name from the code
    finally:
        connection.close()
    return sorted(found, key=repr)

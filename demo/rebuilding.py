"""The check of a rebuild: the tables, built again from the journal beside those that were kept."""

from __future__ import annotations

import tempfile
from pathlib import Path

from demo.log import Log
from demo.querying import Values, reading
from shardlog.model.application import Application
from shardlog.model.projection import Projection
from shardlog.projector.runner import Projector
from shardlog.wiring.stores import ProjectionDatabase


def rebuild_differs(
    log: Log, database: ProjectionDatabase, application: Application, projection: Projection
) -> list[str]:
    """Build a projection from nothing in a scratch database. Returns the names of tables whose rows differ from those
    in this database."""
    with tempfile.TemporaryDirectory() as scratch:
        rebuilt = ProjectionDatabase(Path(scratch))
        store = rebuilt.open_store()
        try:
            Projector(log.journal, log.id, log.shards, application, [projection], store).drain()
        finally:
            store.close()
        tables = [row.__wire_name__ for row in projection.rows]
        return [name for name in tables if _rows(database, name) != _rows(rebuilt, name)]


def _rows(database: ProjectionDatabase, table: str) -> list[Values]:
    with reading(database) as tables:
        names = ", ".join(sorted(tables.columns(table)))
        return sorted(tables.rows(f"SELECT {names} FROM {table}"), key=repr)  # noqa: S608  # names from the code

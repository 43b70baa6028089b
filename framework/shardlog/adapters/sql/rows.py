"""Reading the rows of projections' tables, as values that JSON has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Engine, select
from sqlalchemy.engine import URL

from shardlog.adapters.sql.engine import open_engine
from shardlog.adapters.sql.faults import mapped
from shardlog.adapters.sql.tables import row_table
from shardlog.model.messages import Row
from shardlog.model.projection import Projection
from shardlog.ports.rows import Kind, table_shape

_FROM_SQLITE: Mapping[Kind, Callable[[Any], object]] = {
    "boolean": bool,
    "json": lambda text: msgspec.Raw(text.encode()),
}
"""What SQLite keeps in another form than the one to be shown; times, dates and decimals are texts there already."""


class RowReader:
    """Reads the tables of one database. database, lock_wait_ms: as of SqlProjectionStore; an engine is disposed of."""

    def __init__(self, database: str | Path | URL | Engine, *, lock_wait_ms: int = 5_000) -> None:
        self._engine = database if isinstance(database, Engine) else open_engine(database, lock_wait_ms)

    def first(self, projection: Projection, row: type[Row], limit: int) -> list[dict[str, object]]:
        """The first rows in the order of the table's key. Raises StoreUnavailable and StoreFailed."""
        table, shape = row_table(projection, row), table_shape(row)
        is_sqlite = self._engine.dialect.name == "sqlite"
        shown = {c.name: _FROM_SQLITE[c.kind] for c in shape.columns if is_sqlite and c.kind in _FROM_SQLITE}
        wanted = select(table).order_by(*table.primary_key.columns).limit(limit)
        with mapped(f"reading table {table.name!r}"), self._engine.begin() as connection:
            found = connection.execute(wanted).mappings().all()
        return [
            {name: shown[name](value) if name in shown and value is not None else value for name, value in row.items()}
            for row in found
        ]

    def close(self) -> None:
        """Free connections. Idempotent."""
        self._engine.dispose()

"""Reading the rows of projections' tables, as values that JSON has."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, TableClause, column, inspect, select, table
from sqlalchemy.engine import URL

from shardlog.adapters.sql.dialects.choosing import own_dialect
from shardlog.adapters.sql.engine import open_engine
from shardlog.adapters.sql.faults import mapped
from shardlog.adapters.sql.tables import SQL_TYPES
from shardlog.model.messages import Row
from shardlog.ports.rows import TableShape, table_shape


class RowReader:
    """Reads the tables of one database. database, lock_wait_ms: as of SqlProjectionStore; an engine is disposed of."""

    def __init__(self, database: str | Path | URL | Engine, *, lock_wait_ms: int = 5_000) -> None:
        self._engine = database if isinstance(database, Engine) else open_engine(database, lock_wait_ms)

    def first(self, row: type[Row], limit: int) -> list[dict[str, object]]:
        """The first rows that the view shows, in the order of the key, in the columns of the build that serves.

        None where there is no view yet. Raises StoreUnavailable and StoreFailed.
        """
        shape = table_shape(row)
        says, columns = own_dialect(self._engine.dialect), {column.name: column for column in shape.columns}
        with mapped(f"reading table {shape.name!r}"), self._engine.begin() as connection:
            view = _view(connection, shape)
            if view is None:
                return []
            keys = [view.c[name] for name in shape.keys if name in view.c]
            found = connection.execute(select(view).order_by(*keys).limit(limit)).mappings().all()
        return [
            {
                name: says.shown(columns[name], value) if says and name in columns and value is not None else value
                for name, value in row.items()
            }
            for row in found
        ]

    def close(self) -> None:
        """Free connections. Idempotent."""
        self._engine.dispose()


def _view(connection: Connection, shape: TableShape) -> TableClause | None:
    """The view with the columns that it has now, which may be those of another version than the code's."""
    inspector = inspect(connection)
    if not inspector.has_table(shape.name):
        return None
    known = {c.name: SQL_TYPES[c.kind] for c in shape.columns}
    names = [found["name"] for found in inspector.get_columns(shape.name)]
    return table(shape.name, *(column(name, known.get(name)) for name in names))

"""A real database for tables, and what stands in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine, select, text

from shardlog.adapters.sql.typed_tables import typed_table
from shardlog.ports.projections import ProjectionStore


class Place:
    """A database for tables, and what stands in them."""

    def __init__(self, make: Callable[[], ProjectionStore], engine: Engine) -> None:
        self._make = make
        self.engine = engine
        self._stores: list[ProjectionStore] = []

    def make(self) -> ProjectionStore:
        """A store of it."""
        self._stores.append(self._make())
        return self._stores[-1]

    def close(self) -> None:
        """Let go of everything."""
        for store in self._stores:
            store.close()
        self.engine.dispose()

    def rows(self, row: type[Any], name: str = "") -> list[tuple[Any, ...]]:
        """All rows of a table, in the values that rows hold."""
        table = typed_table(name or row.__wire_name__, row, self.engine.dialect.name)
        with self.engine.connect() as connection:
            return [tuple(found) for found in connection.execute(select(table).order_by(*table.primary_key.columns))]

    def seen(self, view: str) -> list[tuple[Any, ...]]:
        """All that a view shows, in order of its first column."""
        with self.engine.connect() as connection:
            return [tuple(found) for found in connection.execute(text(f"SELECT * FROM {view} ORDER BY 1"))]

"""Reading the tables of a run with SQL that SQLite and PostgreSQL both take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

from sqlalchemy import Connection, inspect, text

from shardlog.wiring.settings import load_settings
from shardlog.wiring.stores import ProjectionDatabase

Values: TypeAlias = tuple[Any, ...]


class Tables:
    """The tables of one run, read within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def rows(self, statement: str, values: Mapping[str, object] | None = None) -> list[Values]:
        """What a SELECT gives, exact numbers as int where they have no places, else as float."""
        return [tuple(map(_plain, row)) for row in self._connection.execute(text(statement), values or {})]

    def columns(self, table: str) -> list[str]:
        """The names of its columns; none where there is no such table or view."""
        found = inspect(self._connection)
        there = {*found.get_table_names(), *found.get_view_names()}
        return [column["name"] for column in found.get_columns(table)] if table in there else []


@contextmanager
def reading(database: ProjectionDatabase) -> Iterator[Tables]:
    """The tables, for as long as the context lasts. Raises FileNotFoundError where there is no file."""
    if not database.exists:
        raise FileNotFoundError(f"there is no file {database.file}: run the demo first")
    engine = database.open_engine()
    try:
        with engine.connect() as connection:
            yield Tables(connection)
    finally:
        engine.dispose()


def named_database(place: Path) -> ProjectionDatabase:
    """The database of a run: that of a file of settings, or the one in a journal's directory."""
    return ProjectionDatabase.of(load_settings(place)) if place.suffix == ".toml" else ProjectionDatabase(place)


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return int(value) if value.as_tuple().exponent == 0 else float(value)
    return value

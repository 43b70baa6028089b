"""The tables of projections as they are to be drawn: columns, keys, types and comments. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from shardlog.model.projection import Projection
from shardlog.ports.rows import Column, Kind, table_shape

TYPES: Mapping[Kind, str] = {
    "boolean": "boolean",
    "integer": "bigint",
    "real": "float8",
    "decimal": "numeric",
    "text": "text",
    "bytes": "bytea",
    "time": "timestamptz",
    "date": "date",
    "uuid": "uuid",
    "enum": "text",
    "int_enum": "bigint",
    "json": "jsonb",
}
"""PostgreSQL's types, by the short one of their names."""


class DrawnColumn(msgspec.Struct, frozen=True):
    """type: of PostgreSQL. comment: empty where the row class has none."""

    name: str
    type: str
    is_key: bool
    is_nullable: bool
    comment: str


class DrawnTable(msgspec.Struct, frozen=True):
    """One table. comment: the text under its row class, as one line."""

    name: str
    projection: str
    version: int
    comment: str
    columns: tuple[DrawnColumn, ...]


class DrawnLink(msgspec.Struct, frozen=True):
    """Rows of `source` name rows of `target` in these columns."""

    source: str
    target: str
    columns: tuple[str, ...]


class Drawing(msgspec.Struct, frozen=True):
    """All that is drawn, in the order of projections and rows."""

    tables: tuple[DrawnTable, ...]
    links: tuple[DrawnLink, ...] = ()


def drawing_of(projections: Iterable[Projection]) -> Drawing:
    """The tables of these projections."""
    return Drawing(tuple(table for projection in projections for table in _tables(projection)))


def _tables(projection: Projection) -> list[DrawnTable]:
    shapes = [table_shape(row) for row in projection.rows]
    return [
        DrawnTable(
            shape.name,
            projection.name,
            projection.version,
            _line(shape.comment),
            tuple(_column(column) for column in shape.columns),
        )
        for shape in shapes
    ]


def _column(column: Column) -> DrawnColumn:
    return DrawnColumn(column.name, TYPES[column.kind], column.is_key, column.nullable, _line(column.comment))


def _line(text: str | None) -> str:
    return " ".join((text or "").split())

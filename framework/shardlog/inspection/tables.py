"""The tables of projections as they are to be drawn: columns, keys, types and comments. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from shardlog.model.joins import Join, Pick
from shardlog.model.projection import Projection
from shardlog.ports.rows import Column, Kind, TableShape, table_shape

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
    """One table, or a join: a view over two of them. comment: the text under its row class, as one line."""

    name: str
    projection: str
    version: int
    comment: str
    columns: tuple[DrawnColumn, ...]
    is_join: bool = False


class DrawnLink(msgspec.Struct, frozen=True):
    """`source` is a join that has rows of `target`, joined on these columns of it."""

    source: str
    target: str
    columns: tuple[str, ...]


class Drawing(msgspec.Struct, frozen=True):
    """All that is drawn, in the order of projections and rows."""

    tables: tuple[DrawnTable, ...]
    links: tuple[DrawnLink, ...] = ()


def drawing_of(projections: Iterable[Projection]) -> Drawing:
    """The tables and joins of these projections."""
    projections = tuple(projections)
    return Drawing(
        tuple(table for projection in projections for table in (*_tables(projection), *_joins(projection))),
        tuple(link for projection in projections for join in projection.views for link in _links(join)),
    )


def _tables(projection: Projection) -> list[DrawnTable]:
    return [_table(projection, table_shape(row)) for row in projection.rows]


def _table(projection: Projection, shape: TableShape) -> DrawnTable:
    columns = tuple(_column(column) for column in shape.columns)
    return DrawnTable(shape.name, projection.name, projection.version, _line(shape.comment), columns)


def _joins(projection: Projection) -> list[DrawnTable]:
    return [
        DrawnTable(
            join.name,
            projection.name,
            projection.version,
            _line(join.comment),
            tuple(_picked(join, pick) for pick in join.picks),
            is_join=True,
        )
        for join in projection.views
    ]


def _picked(join: Join, pick: Pick) -> DrawnColumn:
    """A join's column: it is of no key, and null where the left row matches nothing."""
    column = next(column for column in table_shape(pick.row).columns if column.name == pick.column.name)
    is_nullable = column.nullable or (join.keeps == "left" and pick.row is join.right)
    return DrawnColumn(pick.name, TYPES[column.kind], False, is_nullable, _line(column.comment))


def _links(join: Join) -> tuple[DrawnLink, DrawnLink]:
    return (
        DrawnLink(join.name, table_shape(join.left).name, tuple(join.on)),
        DrawnLink(join.name, table_shape(join.right).name, tuple(join.on.values())),
    )


def _column(column: Column) -> DrawnColumn:
    return DrawnColumn(column.name, TYPES[column.kind], column.is_key, column.nullable, _line(column.comment))


def _line(text: str | None) -> str:
    return " ".join((text or "").split())

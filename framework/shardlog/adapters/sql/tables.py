"""SQL tables: those of row classes, and those that shardlog keeps beside them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    REAL,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Date,
    DateTime,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    Table,
    Text,
    Uuid,
    and_,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from shardlog.errors import ConfigurationError
from shardlog.model.messages import Row
from shardlog.model.projection import Projection
from shardlog.ports.rows import Kind, table_shape

INTERNAL_PREFIX = "shardlog_"

_INTEGER: TypeEngine[int] = BigInteger().with_variant(Integer(), "sqlite")

SQL_TYPES: dict[Kind, TypeEngine[Any]] = {
    "boolean": Boolean().with_variant(Integer(), "sqlite"),
    "integer": _INTEGER,
    "real": Double().with_variant(REAL(), "sqlite"),
    "decimal": Numeric().with_variant(Text(), "sqlite"),
    "text": Text(),
    "bytes": LargeBinary(),
    "time": DateTime(timezone=True).with_variant(Text(), "sqlite"),
    "date": Date().with_variant(Text(), "sqlite"),
    "uuid": Uuid().with_variant(Text(), "sqlite"),
    "enum": Text(),
    "int_enum": _INTEGER,
    "json": JSON().with_variant(JSONB(), "postgresql").with_variant(Text(), "sqlite"),
}
"""A STRICT table of SQLite checks four types; what it lacks is text there, in a form that reads back unchanged."""

_internal = MetaData()


def _internal_table(name: str, *columns: Column[object] | Column[int] | Column[str] | Index, comment: str) -> Table:
    return Table(
        INTERNAL_PREFIX + name, _internal, *columns, comment=comment, sqlite_strict=True, sqlite_with_rowid=False
    )


def _key(name: str, type_: TypeEngine[Any]) -> Column[object]:
    return Column(name, type_, primary_key=True, autoincrement=False)


def _number(name: str) -> Column[int]:
    return Column(name, _INTEGER, nullable=False)


def _text(name: str) -> Column[str]:
    return Column(name, Text(), nullable=False)


CHECKPOINTS = _internal_table(
    "checkpoints",
    _key("projection", Text()),
    _key("version", _INTEGER),
    _key("journal", Text()),
    _key("shard", _INTEGER),
    _number("shards"),
    _number("next"),
    _number("epoch"),
    _text("nonce"),
    _number("seq"),
    _text("head"),
    comment="How far each projection has read each shard; moves in the transaction of its rows.",
)

DEAD_LETTERS = _internal_table(
    "dead_letters",
    _key("projection", Text()),
    _key("version", _INTEGER),
    _key("journal", Text()),
    _key("shard", _INTEGER),
    _key("log_offset", _INTEGER),
    _key("log_index", _INTEGER),
    _text("category"),
    _text("id"),
    _number("stream_version"),
    _text("event_type"),
    _text("state"),
    _text("error"),
    _text("traceback"),
    _text("recorded"),
    _text("data"),
    Index("shardlog_dead_letters_stream", "projection", "version", "category", "id"),
    comment="Events that a projection could not handle, and those of the same streams that wait behind them.",
)

REBUILDS = _internal_table(
    "rebuilds",
    _key("projection", Text()),
    _key("version", _INTEGER),
    _key("shard", _INTEGER),
    _number("rebuild_to"),
    comment="The offset below which the last rebuild of a projection parks nothing new.",
)

OWNERS = _internal_table(
    "tables",
    _key("name", Text()),
    _text("projection"),
    _number("version"),
    comment="Which projection fills which table, so that another one is refused.",
)


def create_internal(connection: Connection) -> None:
    """Make shardlog's own tables where they are missing."""
    _internal.create_all(connection)


def of_projection(table: Table, projection: Projection) -> ColumnElement[bool]:
    """The rows of one version of a projection in one of shardlog's own tables."""
    return and_(table.c.projection == projection.name, table.c.version == projection.version)


def table_name(projection: Projection, row: type[Row]) -> str:
    """The name of the row's table: the row's own for version 1, and `NAME_vN` for version N beside it.

    Raises ConfigurationError for a name that shardlog keeps for itself.
    """
    name = row.__wire_name__
    if name.startswith(INTERNAL_PREFIX):
        raise ConfigurationError(
            f"row {row.__name__} of projection {projection.name!r} is named {name!r}: names that begin with "
            f"{INTERNAL_PREFIX!r} are shardlog's own. Give it another name=."
        )
    return name if projection.version == 1 else f"{name}_v{projection.version}"


def row_table(projection: Projection, row: type[Row]) -> Table:
    """The row class as a table, its docstring as comment where the database has comments."""
    shape, name = table_shape(row), table_name(projection, row)
    columns = [
        Column(
            column.name,
            SQL_TYPES[column.kind],
            primary_key=column.is_key,
            nullable=column.nullable,
            autoincrement=False,
            comment=column.comment,
        )
        for column in shape.columns
    ]
    indexes = [Index(f"{name}_{column.name}", column.name) for column in shape.columns if column.indexed]
    return Table(
        name, MetaData(), *columns, *indexes, comment=shape.comment, sqlite_strict=True, sqlite_with_rowid=False
    )

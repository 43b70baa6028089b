"""SQL tables: those of row classes, and those that shardlog keeps beside them."""

from __future__ import annotations

from hashlib import blake2b
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
    Dialect,
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
    inspect,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from shardlog.adapters.sql.decimals import DECIMAL_COLLATION
from shardlog.errors import ConfigurationError, TableMismatch
from shardlog.model.messages import Row
from shardlog.ports.builds import Build, BuildKey
from shardlog.ports.rows import Kind, table_shape

INTERNAL_PREFIX = "shardlog_"
NAME_BYTES_MAX = 63
"""What the databases take as a name; PostgreSQL cuts a longer one off without a word."""

_INTEGER: TypeEngine[int] = BigInteger().with_variant(Integer(), "sqlite")

SQL_TYPES: dict[Kind, TypeEngine[Any]] = {
    "boolean": Boolean().with_variant(Integer(), "sqlite"),
    "integer": _INTEGER,
    "real": Double().with_variant(REAL(), "sqlite"),
    "decimal": Numeric().with_variant(Text(collation=DECIMAL_COLLATION), "sqlite"),
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


def _build_key() -> tuple[Column[object], ...]:
    return _key("projection", Text()), _key("version", _INTEGER), _key("build", _INTEGER)


BUILDS = _internal_table(
    "builds",
    *_build_key(),
    _text("state"),
    Column("paused", SQL_TYPES["boolean"], nullable=False),
    _number("attempt"),
    _text("begun_at"),
    _text("switched_at"),
    _text("stopped"),
    _text("stopped_at"),
    _text("passed_over"),
    _text("handlers"),
    comment="Sets of tables of each projection: the views show the one that serves, and the others stand beside it.",
)

CHECKPOINTS = _internal_table(
    "checkpoints",
    *_build_key(),
    _key("journal", Text()),
    _key("shard", _INTEGER),
    _number("shards"),
    _number("next"),
    _number("epoch"),
    _text("nonce"),
    _number("seq"),
    _text("head"),
    comment="How far each build has read each shard; moves in the transaction of its rows.",
)

DEAD_LETTERS = _internal_table(
    "dead_letters",
    *_build_key(),
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
    Index("shardlog_dead_letters_stream", "projection", "version", "build", "category", "id"),
    comment="Events that a projection could not handle, and those of the same streams that wait behind them.",
)

REBUILDS = _internal_table(
    "rebuilds",
    *_build_key(),
    _key("shard", _INTEGER),
    _number("rebuild_to"),
    comment="The offset below which a build makes no new dead letters.",
)

OWNERS = _internal_table(
    "tables",
    _key("name", Text()),
    _text("projection"),
    _number("version"),
    _number("build"),
    _text("view_name"),
    _text("described"),
    comment="Which build fills which table, and the view that may show it; a view has a line of version 0 and build 0.",
)


def create_internal(connection: Connection) -> None:
    """Make shardlog's own tables where they are missing. Raises TableMismatch for those of an earlier release."""
    _internal.create_all(connection)
    looking = inspect(connection)
    for table in (CHECKPOINTS, BUILDS):
        there = {column["name"] for column in looking.get_columns(table.name)}
        if missing := [column.name for column in table.c if column.name not in there]:
            raise TableMismatch(
                f"table {table.name!r} lacks {', '.join(missing)}: an earlier shardlog made it. All that is kept "
                "here is built from the journal: remove this database (the file, or the schema) and start again"
            )


def of_build(table: Table, key: BuildKey) -> ColumnElement[bool]:
    """The rows of one build in one of shardlog's own tables."""
    columns = table.c
    return and_(columns.projection == key.projection, columns.version == key.version, columns.build == key.number)


def view_name(build: Build, row: type[Row]) -> str:
    """The name that analysts use, which is the row's. Raises ConfigurationError for one that is shardlog's own."""
    return free_name(build, f"row {row.__name__}", row.__wire_name__)


def table_name(build: Build, row: type[Row]) -> str:
    """The name of the row's table: `NAME_vN` for version N, and `NAME_vN_bM` for its builds from the second on.

    Raises ConfigurationError for a name that shardlog keeps for itself, or that is too long for the databases.
    """
    return numbered_name(build, f"row {row.__name__}", row.__wire_name__)


def free_name(build: Build, owner: str, name: str) -> str:
    """A name that analysts use. owner: what has it. Raises ConfigurationError where shardlog keeps it for itself."""
    if name.startswith(INTERNAL_PREFIX):
        raise ConfigurationError(
            f"{owner} of projection {build.name!r} is named {name!r}: names that begin with {INTERNAL_PREFIX!r} are "
            "shardlog's own. Give it another name=."
        )
    return name


def numbered_name(build: Build, owner: str, name: str) -> str:
    """What a build's own table or view of this name is called. Raises ConfigurationError for a name that cannot be."""
    version, number = build.projection.version, build.number
    own = f"{free_name(build, owner, name)}_v{version}" + ("" if number == 1 else f"_b{number}")
    if len(own.encode()) > NAME_BYTES_MAX:
        raise ConfigurationError(
            f"{owner} of projection {build.name!r} has table {own!r}, whose name is {len(own.encode())} bytes long, "
            f"and {NAME_BYTES_MAX} is the most: give it a shorter name="
        )
    return own


def row_table(build: Build, row: type[Row]) -> Table:
    """The row class as a table of this build, its docstring as comment where the database has comments."""
    shape, name = table_shape(row), table_name(build, row)
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
    indexes = [Index(_index_name(name, column.name), column.name) for column in shape.columns if column.indexed]
    for index, column in zip(indexes, (column for column in shape.columns if column.indexed), strict=True):
        if column.kind == "decimal":
            index.ddl_if(callable_=_is_not_sqlite)
    return Table(
        name, MetaData(), *columns, *indexes, comment=shape.comment, sqlite_strict=True, sqlite_with_rowid=False
    )


def _is_not_sqlite(*_: object, dialect: Dialect, **_more: object) -> bool:
    """Programs that do not know our order of decimals would look for them in the wrong place of an index in SQLite."""
    return dialect.name != "sqlite"


def _index_name(table: str, column: str) -> str:
    """It shares a name space with tables: none is named so, since a name's `_vN` is followed by `_bM` or by nothing."""
    name = f"{table}_by_{column}"
    if len(name.encode()) <= NAME_BYTES_MAX:
        return name
    return f"{table[:44]}_by_{blake2b(name.encode(), digest_size=7).hexdigest()}"

"""Rows and their tables: which columns a row type has, which of them are the key, and which are indexed."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from shardlog.codec.types import without_none
from shardlog.errors import DomainError
from shardlog.model.messages import Row

T = TypeVar("T")


class _KeyMark:
    """Marks a column of the key."""


class _IndexMark:
    """Marks a column that queries filter by."""


Key: TypeAlias = Annotated[T, _KeyMark()]
"""A column of the row's key: `account: Key[str]`. Several make a compound key, in the order of the fields."""
Index: TypeAlias = Annotated[T, _IndexMark()]
"""A column with an index: `departs: Index[datetime]`."""


class Column(msgspec.Struct, frozen=True):
    """A column of a row type.

    type: the Python type, without None and without marks. may_be_null: None is allowed. default: what a row has where
    nothing is said; msgspec.NODEFAULT for a column that must be said.
    """

    name: str
    type: Any
    may_be_null: bool
    default: object


class RowLayout(msgspec.Struct, frozen=True):
    """A row type's table, read once from its fields. lacking: columns beside the key that have no default."""

    table: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    indexes: tuple[str, ...]
    values: frozenset[str]
    counters: frozenset[str]
    defaults: Mapping[str, object]
    lacking: frozenset[str]


@functools.cache
def row_layout(row_type: type[Row]) -> RowLayout:
    """What the other functions here read. Raises DomainError for annotations that cannot be resolved."""
    try:
        hints = get_type_hints(row_type, include_extras=True)
    except NameError as error:
        raise DomainError(f"row {row_type.__qualname__}: {error}. Define or import it at module level.") from error
    columns = tuple(_column(field, hints[field.name]) for field in msgspec.structs.fields(row_type))
    key = tuple(column.name for column in columns if _is_marked(hints[column.name], _KeyMark))
    return RowLayout(
        table=row_type.__wire_name__,
        columns=columns,
        key=key,
        indexes=tuple(column.name for column in columns if _is_marked(hints[column.name], _IndexMark)),
        values=frozenset(column.name for column in columns if column.name not in key),
        counters=frozenset(c.name for c in columns if c.type is int and not c.may_be_null and c.name not in key),
        defaults={c.name: c.default for c in columns if c.default is not msgspec.NODEFAULT and c.name not in key},
        lacking=frozenset(c.name for c in columns if c.default is msgspec.NODEFAULT and c.name not in key),
    )


def table_name(row_type: type[Row]) -> str:
    """The table's name: the row's `name=`, or its class name in snake case."""
    return row_layout(row_type).table


def row_columns(row_type: type[Row]) -> tuple[Column, ...]:
    """All columns, the key's among them, in the order of the fields."""
    return row_layout(row_type).columns


def row_key(row_type: type[Row]) -> tuple[str, ...]:
    """The names of the key's columns, in the order of the fields."""
    return row_layout(row_type).key


def row_indexes(row_type: type[Row]) -> tuple[str, ...]:
    """The names of the columns marked `Index`, each an index of its own."""
    return row_layout(row_type).indexes


def row_defaults(row_type: type[Row]) -> Mapping[str, object]:
    """The columns with a default and their defaults: what `increment` inserts where the row is missing."""
    return row_layout(row_type).defaults


def _column(field: msgspec.structs.FieldInfo, hint: Any) -> Column:
    found, may_be_null = without_none(hint)
    default = field.default
    if field.default_factory is not msgspec.NODEFAULT:
        default = field.default_factory()
    return Column(field.name, found, may_be_null, default)


def _is_marked(hint: Any, mark: type) -> bool:
    if get_origin(hint) is Annotated:
        return any(isinstance(meta, mark) for meta in hint.__metadata__) or _is_marked(get_args(hint)[0], mark)
    return False

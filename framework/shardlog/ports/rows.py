"""What a row class says of its table: columns, kinds of value, key, indexes and defaults.

Stores make tables of it and projectors fill them; neither looks at a row class in another way.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from datetime import date, datetime
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow
from enum import Enum
from functools import cache
from typing import Any, Literal, TypeAlias, cast
from uuid import UUID

import msgspec
from msgspec.inspect import type_info

from shardlog.errors import DomainError
from shardlog.model.messages import Row
from shardlog.model.rows import row_indexes, row_key, row_layout

Kind: TypeAlias = Literal[
    "boolean", "integer", "real", "decimal", "text", "bytes", "time", "date", "uuid", "enum", "int_enum", "json"
]
PYTHON_TYPES: dict[Kind, tuple[type, ...]] = {
    "boolean": (bool,),
    "integer": (int,),
    "real": (float, int),
    "decimal": (Decimal, int),
    "text": (str,),
    "bytes": (bytes,),
    "time": (datetime,),
    "date": (date,),
    "uuid": (UUID,),
    "enum": (Enum, str),
    "int_enum": (Enum, int),
    "json": (object,),
}
"""What a value of a kind may be in Python."""
KEY_KINDS: frozenset[Kind] = frozenset(
    {"boolean", "integer", "text", "bytes", "time", "date", "uuid", "enum", "int_enum"}
)
"""Kinds whose equal values have one stored form; 1.0 and 1.00 are equal decimals of two forms."""
_KEY_TYPES: dict[Kind, type[Any]] = {
    "boolean": int,
    "integer": int,
    "text": str,
    "bytes": bytes,
    "time": datetime,
    "date": date,
    "uuid": UUID,
    "enum": Enum,
    "int_enum": Enum,
}
ADDABLE_KINDS: frozenset[Kind] = frozenset({"integer", "decimal"})
"""Kinds whose sums do not depend on the order of adding; floats do."""


Number: TypeAlias = "int | Decimal"
_EXACT = Context(prec=1000, Emax=999_999, Emin=-999_999, traps=[Inexact, InvalidOperation, Overflow])


def exact_sum(a: Number, b: Number) -> Number:
    """The sum, never rounded, so that sums of sums are the sums of all. Raises decimal.Inexact beyond 1,000 digits."""
    if isinstance(a, Decimal) or isinstance(b, Decimal):
        return _EXACT.add(Decimal(a), Decimal(b))
    return a + b


class _Required:
    """The default of a column that has none."""


REQUIRED = _Required()


class Column(msgspec.Struct, frozen=True):
    """One column: default is REQUIRED where the row class states none. comment: the field's description, or what the
    class's docstring says of it in a line `name: text`."""

    name: str
    kind: Kind
    nullable: bool
    is_key: bool
    indexed: bool
    default: object
    comment: str | None

    @property
    def addable(self) -> bool:
        """Whether `increment` and `add` may change it: an integer or a Decimal that is never None."""
        return self.kind in ADDABLE_KINDS and not self.nullable and not self.is_key

    @property
    def key_type(self) -> type[Any]:
        """Of what type a value of this key's column is: a database would take others for it, as `"5"` for 5."""
        return _KEY_TYPES[self.kind]

    @property
    def amount_type(self) -> type[Any]:
        """Of what type an amount is that is added to this column."""
        return Decimal if self.kind == "decimal" else int


class TableShape(msgspec.Struct, frozen=True):
    """A row class as a table: columns in the order of its fields."""

    name: str
    row: type[Row]
    columns: tuple[Column, ...]
    comment: str | None

    @property
    def keys(self) -> tuple[str, ...]:
        """The names of the key's columns, in the order of the fields."""
        return tuple(column.name for column in self.columns if column.is_key)


@cache
def table_shape(row: type[Row]) -> TableShape:
    """The table that a row class describes. Raises DomainError for a key that has no one stored form."""
    keys, indexed = row_key(row), row_indexes(row)
    infos = cast("msgspec.inspect.StructType", type_info(row)).fields
    docstring = row.__doc__ if "__doc__" in vars(row) else None
    comment = inspect.cleandoc(docstring) if docstring else None
    told = _told_of_fields(comment or "", {info.name for info in infos})
    columns = tuple(_column(row, info, info.name in keys, info.name in indexed, told) for info in infos)
    return TableShape(row_layout(row).table, row, columns, comment)


def _told_of_fields(comment: str, names: Collection[str]) -> Mapping[str, str]:
    """By field, what a docstring says of it: `n: how many.`, or `first, last: when.`, up to the next such line."""
    told: dict[str, str] = {}
    current: list[str] = []
    for line in comment.splitlines():
        head, colon, text = line.partition(":")
        listed = [name.strip() for name in head.split(",")]
        if colon and all(name in names for name in listed):
            current = listed
            told.update(dict.fromkeys(current, text.strip()))
        elif line.strip():
            told.update({name: f"{told[name]} {line.strip()}" for name in current})
        else:
            current = []
    return told


def _column(
    row: type[Row], field: msgspec.inspect.Field, is_key: bool, indexed: bool, told: Mapping[str, str]
) -> Column:
    info, comment = _plain(field.type)
    nullable = False
    if isinstance(info, msgspec.inspect.UnionType):
        others = [member for member in info.types if not isinstance(member, msgspec.inspect.NoneType)]
        nullable = len(others) < len(info.types)
        info = _plain(others[0])[0] if len(others) == 1 else info
    kind = _kind(info)
    if is_key and (nullable or kind not in KEY_KINDS):
        raise DomainError(
            f"{row.__name__}.{field.name} is a key of kind {'optional ' if nullable else ''}{kind}: a key is never "
            f"None and is one of {', '.join(sorted(KEY_KINDS))}"
        )
    return Column(field.name, kind, nullable, is_key, indexed, _default(field), comment or told.get(field.name))


def _plain(info: msgspec.inspect.Type) -> tuple[msgspec.inspect.Type, str | None]:
    if isinstance(info, msgspec.inspect.Metadata):
        description = (info.extra_json_schema or {}).get("description")
        return info.type, description if isinstance(description, str) else None
    return info, None


def _default(field: msgspec.inspect.Field) -> object:
    if field.default is not msgspec.NODEFAULT:
        return cast("object", field.default)
    if field.default_factory is not msgspec.NODEFAULT:
        return cast("Callable[[], object]", field.default_factory)()
    return REQUIRED


_KINDS: dict[type[Any], Kind] = {
    msgspec.inspect.BoolType: "boolean",
    msgspec.inspect.IntType: "integer",
    msgspec.inspect.FloatType: "real",
    msgspec.inspect.DecimalType: "decimal",
    msgspec.inspect.StrType: "text",
    msgspec.inspect.BytesType: "bytes",
    msgspec.inspect.DateTimeType: "time",
    msgspec.inspect.DateType: "date",
    msgspec.inspect.UUIDType: "uuid",
}


def _kind(info: msgspec.inspect.Type) -> Kind:
    if isinstance(info, msgspec.inspect.EnumType):
        return _values_kind([member.value for member in info.cls], "int_enum", "enum")
    if isinstance(info, msgspec.inspect.LiteralType):
        return _values_kind(list(info.values), "integer", "text")
    return _KINDS.get(type(info), "json")


def _values_kind(values: list[object], numbers: Kind, texts: Kind) -> Kind:
    if all(isinstance(value, int) for value in values):
        return numbers
    return texts if all(isinstance(value, str) for value in values) else "json"

"""Whether a value fits, where a database would round, cut or convert it and go on."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from shardlog.adapters.sql.values import Convert, date_text, decimal_text, enum_value, json_text, plain_text
from shardlog.ports.rows import PYTHON_TYPES, Column, Kind, TableShape

_SIZED: frozenset[Kind] = frozenset({"text", "bytes", "enum"})


class Limits(NamedTuple):
    """Of one database.

    key_bytes: what texts and byte strings of one key may take together; they share it evenly. character_bytes: what a
    character may take of it. decimal_digits, decimal_places: of a decimal in all, and behind the point.
    """

    database: str
    key_bytes: int
    character_bytes: int
    decimal_digits: int
    decimal_places: int

    def bytes_each(self, count: int) -> int:
        """How many bytes each of so many texts and byte strings of a key may have."""
        return self.key_bytes // max(count, 1)

    def characters_each(self, count: int) -> int:
        """How many characters each of so many texts may have."""
        return self.bytes_each(count) // self.character_bytes


def strict(column: Column, shape: TableShape, limits: Limits, own: Mapping[Kind, Convert]) -> Convert:
    """What checks and converts values of the column. own: conversions of this database, over those of all.

    It raises TypeError for a value of another type than the column's, and ValueError for one that does not fit.
    """
    allowed, convert = PYTHON_TYPES[column.kind], {**_EXACT, **own}.get(column.kind)
    count = sum(other.is_key and other.kind in _SIZED for other in shape.columns)
    is_sized = column.is_key and column.kind in _SIZED

    def fit(value: Any) -> object:
        if not isinstance(value, allowed):
            raise TypeError(f"column {column.name!r} takes no {value!r} ({column.kind})")
        fitting = value if convert is None else convert(value)
        if column.kind == "decimal":
            _check_decimal(column.name, value, limits)
        elif is_sized:
            _check_size(column.name, fitting, limits, count)
        return fitting

    return fit


def _check_size(name: str, value: object, limits: Limits, count: int) -> None:
    most = limits.bytes_each(count) if isinstance(value, bytes) else limits.characters_each(count)
    if isinstance(value, bytes | str) and len(value) > most:
        unit = "bytes" if isinstance(value, bytes) else "characters"
        raise ValueError(f"column {name!r}: a key of {len(value)} {unit}, and {limits.database} takes {most} here")


def _check_decimal(name: str, value: Any, limits: Limits) -> None:
    whole, _, fraction = decimal_text(value).lstrip("-").partition(".")
    before = limits.decimal_digits - limits.decimal_places
    if len(fraction.rstrip("0")) > limits.decimal_places or len(whole.lstrip("0")) > before:
        raise ValueError(
            f"column {name!r}: {value} does not fit: {limits.database} keeps {before} digits before the point and "
            f"{limits.decimal_places} behind it"
        )


def _decimal(value: Decimal | int) -> Decimal:
    """A number for the driver: a text, MariaDB would add as a float."""
    return Decimal(decimal_text(value))


def _real(value: float) -> float:
    number = float(value)
    if number - number != 0:
        raise ValueError(f"{number} is no number that a row can hold")
    return number


_EXACT: Mapping[Kind, Convert] = {
    "boolean": int,
    "integer": int,
    "real": _real,
    "decimal": _decimal,
    "text": plain_text,
    "date": date_text,
    "uuid": str,
    "enum": lambda value: str(enum_value(value)),
    "int_enum": lambda value: int(enum_value(value)),  # type: ignore[call-overload]  # an int, or an Enum of ints
    "json": json_text,
}

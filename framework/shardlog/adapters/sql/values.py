"""Values of rows as the database keeps them; what its driver takes unchanged passes unchanged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, TypeAlias

import msgspec

Convert: TypeAlias = Callable[[Any], object]


def time_text(value: datetime) -> str:
    """UTC, always with microseconds, so that texts sort as times do. Raises ValueError without a time zone."""
    if value.tzinfo is None:
        raise ValueError(f"{value!r} has no time zone: rows hold instants; give it one, as in datetime.now(UTC)")
    utc = value.astimezone(UTC)
    return utc.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def date_text(value: date) -> str:
    """Raises TypeError for a time, which is a date by its type: a database would cut it, in some zone."""
    if isinstance(value, datetime):
        raise TypeError(f"{value!r} is a time, and the column holds a date: give it .date(), in the zone that is meant")
    return value.isoformat()


def plain_text(value: str) -> str:
    """The text that a value is; str() of an Enum's member that is a text too is its name."""
    return str.__str__(value)


def decimal_text(value: Decimal | int) -> str:
    """All digits, without exponent. Raises ValueError for NaN and infinities."""
    number = Decimal(value)
    if not number.is_finite():
        raise ValueError(f"{number} is no number that a row can hold")
    return format(number, "f")


def json_text(value: object) -> str:
    """JSON; mappings and sets in the order of their keys, so that equal values have one text."""
    return msgspec.json.encode(value, order="deterministic").decode()


def enum_value(value: object) -> object:
    """What an Enum's member stands for; all else is itself."""
    return value.value if isinstance(value, Enum) else value


def or_none(convert: Convert | None, *, nullable: bool) -> Convert | None:
    """The same for a column that may be None."""
    if convert is None or not nullable:
        return convert
    given = convert
    return lambda value: None if value is None else given(value)


def convert_rows(
    rows: Sequence[tuple[object, ...]], converters: Sequence[Convert | None]
) -> Sequence[tuple[object, ...]]:
    """The rows, each value through its column's converter; the very same rows where there is nothing to convert."""
    places = [(place, convert) for place, convert in enumerate(converters) if convert is not None]
    if not places:
        return rows
    converted: list[tuple[object, ...]] = []
    for row in rows:
        values = list(row)
        for place, convert in places:
            values[place] = convert(values[place])
        converted.append(tuple(values))
    return converted

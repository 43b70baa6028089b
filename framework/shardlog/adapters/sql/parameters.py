"""Values that a question is asked with, in the form in which a database keeps those it is compared with."""

from __future__ import annotations

from collections.abc import Mapping

from shardlog.adapters.sql.values import Convert, decimal_text, enum_value, json_text, or_none, time_text
from shardlog.ports.rows import Column, Kind

_ANYWHERE: Mapping[Kind, Convert] = {"enum": enum_value, "int_enum": enum_value, "json": json_text}
_SQLITE: Mapping[Kind, Convert] = {
    **_ANYWHERE,
    "time": time_text,
    "decimal": decimal_text,
    "date": lambda value: value.isoformat(),
    "uuid": str,
}


def converter(column: Column, dialect: str) -> Convert | None:
    """What makes a value fit the driver; None where it does. dialect: sqlite or postgresql."""
    convert = (_SQLITE if dialect == "sqlite" else _ANYWHERE).get(column.kind)
    return or_none(convert, nullable=column.nullable)

"""Columns of values as PostgreSQL's array literals: one parameter holds a column of thousands of rows.

A value of another type than the column's is refused here: in a literal, PostgreSQL would take the text "5" for a 5.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any

from shardlog.adapters.sql.values import date_text, decimal_text, json_text, plain_text, time_text
from shardlog.ports.rows import PYTHON_TYPES, Column, Kind

ARRAY_TYPES: dict[Kind, str] = {
    "boolean": "boolean[]",
    "integer": "bigint[]",
    "real": "double precision[]",
    "decimal": "numeric[]",
    "text": "text[]",
    "bytes": "bytea[]",
    "time": "timestamptz[]",
    "date": "date[]",
    "uuid": "uuid[]",
    "enum": "text[]",
    "int_enum": "bigint[]",
    "json": "jsonb[]",
}


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value


def _bytes_text(value: bytes) -> str:
    return "\\x" + value.hex()


_TEXT: dict[Kind, Callable[[Any], str]] = {
    "boolean": lambda value: "t" if value else "f",
    "integer": lambda value: str(int(value)),
    "real": lambda value: repr(float(value)),
    "decimal": decimal_text,
    "text": plain_text,
    "bytes": _bytes_text,
    "time": time_text,
    "date": date_text,
    "uuid": str,
    "enum": lambda value: str(_plain(value)),
    "int_enum": lambda value: str(int(_plain(value))),
    "json": json_text,
}
_BARE: frozenset[Kind] = frozenset({"boolean", "integer", "real", "decimal", "date", "uuid", "int_enum"})
"""Kinds whose texts need no quotes."""


def array_literal(column: Column, values: Sequence[Any]) -> str:
    """The values as one literal. Raises TypeError and ValueError, naming the column, for one that does not fit."""
    kinds = set(map(type, values))
    if kinds == {int} and column.kind == "integer":
        return "{" + ",".join(map(str, values)) + "}"
    if kinds == {str} and column.kind == "text":
        return _quoted(column, values)
    allowed, text = PYTHON_TYPES[column.kind], _TEXT[column.kind]
    texts: list[str | None] = []
    for value in values:
        if value is None:
            texts.append(None)
        elif isinstance(value, allowed):
            texts.append(text(value))
        else:
            raise TypeError(f"column {column.name!r} takes no {value!r} ({column.kind})")
    if column.kind in _BARE:
        return "{" + ",".join("NULL" if found is None else found for found in texts) + "}"
    if None not in texts:
        return _quoted(column, texts)  # type: ignore[arg-type]  # as was just looked at
    return "{" + ",".join("NULL" if found is None else _quoted(column, [found])[1:-1] for found in texts) + "}"


def _quoted(column: Column, texts: Sequence[str]) -> str:
    """All at once: the character that parts them is one that no text of PostgreSQL holds."""
    joined = "\0".join(texts)
    if joined.count("\0") != len(texts) - 1:
        raise ValueError(f"column {column.name!r}: PostgreSQL keeps no text with a zero character")
    if "\\" in joined:
        joined = joined.replace("\\", "\\\\")
    if '"' in joined:
        joined = joined.replace('"', '\\"')
    return '{"' + joined.replace("\0", '","') + '"}'

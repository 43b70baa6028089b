"""Defaults of fields, as Avro schemas carry them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from shardlog.avro.unions import branch_of

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONG = range(-(2**63), 2**63)


class Inexpressible(Exception):
    """A schema has no way to say this default, so it carries none."""


def default_json(schema: Any, value: Any, named: Mapping[str, Any]) -> Any:
    """A value, as fastavro would write it, as the JSON of a default. named: schemas by full name.

    Raises Inexpressible for what is of another branch than a union's first, for numbers that JSON or Avro has not.
    """
    if isinstance(schema, list):
        if value[0] != branch_of(schema[0]):
            raise Inexpressible
        return default_json(schema[0], value[1], named)
    if isinstance(schema, str):
        return default_json(named[schema], value, named) if schema in named else _plain(value)
    match schema["type"]:
        case "record":
            return {
                field["name"]: default_json(field["type"], value[field["name"]], named) for field in schema["fields"]
            }
        case "array":
            return [default_json(schema["items"], item, named) for item in value]
        case "map":
            return {key: default_json(schema["values"], item, named) for key, item in value.items()}
        case _:
            return _plain(value)


def _plain(value: Any) -> Any:
    match value:
        case bytes():
            return value.decode("latin-1")
        case datetime():
            since = value - _EPOCH
            return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
        case date():
            return (value - _EPOCH.date()).days
        case float() if not math.isfinite(value):
            raise Inexpressible
        case int() if value not in _LONG:
            raise Inexpressible
        case None | bool() | int() | float() | str():
            return value
        case _:
            return str(value)

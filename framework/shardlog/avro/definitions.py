"""Named types of a schema: each is written out where it first stands, and only named after that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shardlog.avro.unions import branch_of


def defined_where_first(schema: Any, named: Mapping[str, Any]) -> Any:
    """The schema with its named types in place, whatever the order in which they were made. named: by full name.

    A union whose default is of a later branch was turned around, and what it names may stand behind it now.
    """
    return _settled(schema, named, set())


def _settled(schema: Any, named: Mapping[str, Any], seen: set[str]) -> Any:
    if isinstance(schema, list):
        return [_settled(member, named, seen) for member in schema]
    if isinstance(schema, str):
        return _settled(named[schema], named, seen) if schema in named and schema not in seen else schema
    if schema["type"] in ("record", "enum"):
        name = branch_of(schema)
        if name in seen:
            return name
        seen.add(name)
    settled = dict(schema)
    for key in ("items", "values"):
        if key in settled:
            settled[key] = _settled(settled[key], named, seen)
    if "fields" in settled:
        settled["fields"] = [{**field, "type": _settled(field["type"], named, seen)} for field in settled["fields"]]
    return settled

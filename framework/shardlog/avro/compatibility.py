"""Whether a reader's schema can read what a writer's has written, by Avro's schema resolution, and if not, why.

Stricter than Avro in one thing: a text that becomes a decimal, or a number a time, is read by Avro without a word, and
means something else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

from fastavro.schema import parse_schema

from shardlog.avro.canonical import Schema

Problem: TypeAlias = Literal["missing", "type", "name", "values", "meaning"]

_PROMOTED = {
    "int": {"int", "long", "float", "double"},
    "long": {"long", "float", "double"},
    "float": {"float", "double"},
    "string": {"string", "bytes"},
    "bytes": {"bytes", "string"},
}


class Mismatch(NamedTuple):
    """What a reader cannot read. place: the field, with dots to those within it; "" for the record itself.

    missing: the reader has this field, without a default, and the writer has not. detail: the types or values.
    """

    place: str
    problem: Problem
    detail: str


def mismatches(reader: Schema, writer: Schema) -> list[Mismatch]:
    """Everything that keeps the reader from reading all that the writer may write; empty where it can."""
    return list(dict.fromkeys(_Resolution(reader, writer).compare()))


class _Resolution:
    """Two schemas with their named types."""

    def __init__(self, reader: Schema, writer: Schema) -> None:
        self._reader: Any = parse_schema(dict(reader))
        self._writer: Any = parse_schema(dict(writer))
        self._read_names = dict(_definitions(self._reader))
        self._written_names = dict(_definitions(self._writer))
        self._under_way: set[tuple[str, str]] = set()

    def compare(self) -> Iterator[Mismatch]:
        return self._compare(self._reader, self._writer, "")

    def _compare(self, reader: Any, writer: Any, place: str) -> Iterator[Mismatch]:
        reader, writer = self._read_names.get(_key(reader), reader), self._written_names.get(_key(writer), writer)
        if isinstance(writer, list):
            for branch in writer:
                yield from self._compare(reader, branch, place)
        elif isinstance(reader, list):
            yield from self._one_of(reader, writer, place)
        elif _kind(writer) == "record" == _kind(reader):
            yield from self._records(reader, writer, place)
        else:
            yield from self._others(reader, writer, place)

    def _one_of(self, readers: list[Any], writer: Any, place: str) -> Iterator[Mismatch]:
        tried = [list(self._compare(branch, writer, place)) for branch in readers]
        if any(not found for found in tried):
            return
        same = [found for branch, found in zip(readers, tried, strict=True) if self._is_alike(branch, writer)]
        if same:
            yield from same[0]
        else:
            kinds = " or ".join(self._said(branch) for branch in readers)
            yield Mismatch(place, "type", f"{_said(writer)}, read as {kinds}")

    def _is_alike(self, reader: Any, writer: Any) -> bool:
        reader = self._read_names.get(_key(reader), reader)
        return _kind(reader) == _kind(writer) and _short(reader) == _short(writer)

    def _said(self, schema: Any) -> str:
        return _said(self._read_names.get(_key(schema), schema))

    def _records(self, reader: Any, writer: Any, place: str) -> Iterator[Mismatch]:
        if _short(reader) != _short(writer):
            yield Mismatch(place, "name", f"{_short(writer)}, read as {_short(reader)}")
            return
        pair = (str(reader["name"]), str(writer["name"]))
        if pair in self._under_way:
            return
        self._under_way.add(pair)
        written = {field["name"]: field for field in writer["fields"]}
        for field in reader["fields"]:
            inside = f"{place}.{field['name']}".lstrip(".")
            if field["name"] in written:
                yield from self._compare(field["type"], written[field["name"]]["type"], inside)
            elif "default" not in field:
                yield Mismatch(inside, "missing", self._said(field["type"]))
        self._under_way.discard(pair)

    def _others(self, reader: Any, writer: Any, place: str) -> Iterator[Mismatch]:
        kinds = _kind(reader), _kind(writer)
        if kinds == ("array", "array") or kinds == ("map", "map"):
            key, what = ("items", "[]") if kinds[0] == "array" else ("values", "{}")
            yield from self._compare(reader[key], writer[key], f"{place}{what}")
            yield from _meaning(reader, writer, place)
        elif kinds == ("enum", "enum"):
            if _short(reader) != _short(writer):
                yield Mismatch(place, "name", f"{_short(writer)}, read as {_short(reader)}")
            yield from _unknown_values(reader["symbols"], writer["symbols"], place)
        elif kinds[0] not in _PROMOTED.get(kinds[1], {kinds[1]}):
            yield Mismatch(place, "type", f"{_said(writer)}, read as {_said(reader)}")
        else:
            yield from _meaning(reader, writer, place)


def _meaning(reader: Any, writer: Any, place: str) -> Iterator[Mismatch]:
    read, written = _form(reader), _form(writer)
    if read == written == "values":
        yield from _unknown_values(reader["shardlog"]["values"], writer["shardlog"]["values"], place)
    elif read != written and not (written == "values" and read == ""):
        yield Mismatch(place, "meaning", f"{_said(writer)}, read as {_said(reader)}")


def _unknown_values(read: list[Any], written: list[Any], place: str) -> Iterator[Mismatch]:
    unknown = [value for value in written if value not in read]
    if unknown:
        yield Mismatch(place, "values", ", ".join(repr(value) for value in unknown))


def _form(schema: Any) -> str:
    if not isinstance(schema, Mapping):
        return ""
    return str(schema.get("logicalType") or schema.get("shardlog", {}).get("form", ""))


def _kind(schema: Any) -> str:
    return schema if isinstance(schema, str) else str(schema["type"])


def _key(schema: Any) -> str:
    return schema if isinstance(schema, str) else ""


def _short(schema: Any) -> str:
    """The name without its namespace: all that schema resolution compares."""
    return str(schema["name"]).rpartition(".")[2] if isinstance(schema, Mapping) and "name" in schema else ""


def _said(schema: Any) -> str:
    """A type in a few words."""
    if isinstance(schema, list):
        return " or ".join(_said(branch) for branch in schema)
    form = _form(schema)
    name = _short(schema)
    return f"{_kind(schema)} {name}" if name else f"{_kind(schema)} ({form})" if form else _kind(schema)


def _definitions(schema: Any) -> Iterator[tuple[str, Any]]:
    """Named types by full name. fastavro's parsed schemas have nothing but full names."""
    if isinstance(schema, list):
        for branch in schema:
            yield from _definitions(branch)
    if not isinstance(schema, Mapping):
        return
    if "name" in schema and "type" in schema and schema["type"] in ("record", "enum", "fixed"):
        yield str(schema["name"]), schema
    for field in schema.get("fields", ()):
        yield from _definitions(field["type"])
    for key in ("items", "values"):
        if key in schema:
            yield from _definitions(schema[key])

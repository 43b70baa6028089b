"""Avro binary by fastavro: values of a schema as bytes, and back, whoever wrote them."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import Any

import fastavro
import fastavro._read_py
from fastavro.read import SchemaResolutionError
from fastavro.schema import parse_schema

from shardlog.avro.canonical import Schema, is_recursive
from shardlog.errors import PayloadUnreadable, PayloadUnwritable

_NOT_WRITTEN = (ValueError, TypeError, KeyError, OverflowError, AttributeError, RecursionError)
_NOT_READ = (
    EOFError,
    SchemaResolutionError,
    ValueError,  # texts that are no UTF-8 too
    TypeError,
    LookupError,
    OverflowError,
    AttributeError,
    MemoryError,
    RecursionError,
)
"""What fastavro raises: it has no root of its own errors."""


LEFT_OUT = object()
"""Stands for a field that the writer did not have, in what is read: its default is for the reader to say."""


class Binary:
    """Values of one schema."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self._parsed: Any = parse_schema(dict(schema))

    def encode(self, value: Any) -> bytes:
        """What fastavro takes as bytes. Raises PayloadUnwritable."""
        output = BytesIO()
        try:
            fastavro.schemaless_writer(output, self._parsed, value)
        except _NOT_WRITTEN as error:
            raise PayloadUnwritable(f"{self.schema['name']} cannot be written as Avro: {_why(error, value)}") from error
        return output.getvalue()

    def reader(self, writer: Schema) -> Reader:
        """What reads values of another schema into this one."""
        return Reader(writer, self.schema)


class Reader:
    """Values written with one schema, read as values of another, by Avro's schema resolution."""

    def __init__(self, writer: Schema, reader: Schema) -> None:
        self._name = str(reader["name"])
        self._writer: Any = parse_schema(dict(writer))
        # Resolution takes the first branch of a union that a value can be promoted to, a double for a long: none is
        # needed for a value of the very same schema. And fastavro gives a default as it stands in the schema: JSON,
        # where a date or a struct should be.
        is_same = writer == reader
        self._reader: Any = None if is_same else parse_schema(_with_marks(reader), _ignore_default_error=True)
        # The compiled reader follows nesting until the process has no stack left, and dies; this one raises.
        is_nested = is_recursive(writer) or is_recursive(reader)
        self._read = fastavro._read_py.schemaless_reader if is_nested else fastavro.schemaless_reader

    def decode(self, data: bytes) -> Any:
        """The value, a branch of a union that is a record with its name. Raises PayloadUnreadable."""
        source = BytesIO(data)
        try:
            value = self._read(source, self._writer, self._reader, return_record_name=True)
        except _NOT_READ as error:
            why = f"{type(error).__name__} {error}".strip()
            raise PayloadUnreadable(f"{len(data)} bytes are no {self._name} in Avro: {why}") from error
        if source.tell() != len(data):
            raise PayloadUnreadable(
                f"{len(data)} bytes are no {self._name} in Avro: {len(data) - source.tell()} are left behind its end"
            )
        return value


def _with_marks(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_with_marks(member) for member in schema]
    if not isinstance(schema, Mapping):
        return schema
    marked = {key: _with_marks(part) if key in ("type", "items", "values") else part for key, part in schema.items()}
    if "default" in schema and "fields" not in schema and "symbols" not in schema:
        marked["default"] = LEFT_OUT
    if "fields" in schema:
        marked["fields"] = [_with_marks(field) for field in schema["fields"]]
    return marked


def _why(error: Exception, value: object) -> str:
    large = next(_beyond(value), None) if isinstance(error, OverflowError) else None
    if large is not None:
        return f"{large} is beyond a long's 64 bits. Put a limit on the command: `Annotated[int, Meta(le=...)]`"
    return f"{type(error).__name__} {error}"


def _beyond(value: object) -> Any:
    """Integers of more than 64 bits in it."""
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        yield value
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    for child in children:
        yield from _beyond(child)

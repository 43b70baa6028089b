"""Rows as an Arrow IPC stream: a schema, then record batches as they are read."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from shardlog.ports.reading import ResultColumn
from shardlog.ports.rows import Kind
from shardlog.query.formats import Rows, RowWriter
from shardlog.query.values import text_of

TYPES: Mapping[Kind, pa.DataType] = {
    "boolean": pa.bool_(),
    "integer": pa.int64(),
    "real": pa.float64(),
    "decimal": pa.string(),
    "text": pa.string(),
    "bytes": pa.binary(),
    "time": pa.timestamp("us", tz="UTC"),
    "date": pa.date32(),
    "uuid": pa.string(),
    "enum": pa.string(),
    "int_enum": pa.int64(),
    "json": pa.string(),
}
"""Decimals are texts: a stream has one scale for all its rows, and rows may have any."""
_AS_TEXT: frozenset[Kind] = frozenset({"decimal", "uuid", "json", "text", "enum"})


class ArrowWriter(RowWriter):
    """An IPC stream."""

    def __init__(self, columns: Sequence[ResultColumn]) -> None:
        super().__init__(columns)
        kinds: list[Kind] = [column.kind or "text" for column in columns]
        self._schema = pa.schema([(c.name, TYPES[kind]) for c, kind in zip(columns, kinds, strict=True)])
        self._converters: list[Callable[[Any], object] | None] = [text_of if k in _AS_TEXT else None for k in kinds]
        self._sink = io.BytesIO()
        self._writer = pa.ipc.new_stream(self._sink, self._schema)

    def begin(self) -> bytes:
        """The schema."""
        return self._taken()

    def rows(self, rows: Rows) -> bytes:
        """One record batch."""
        columns = zip(*rows, strict=True) if rows else ((),) * len(self._schema)
        arrays = [
            pa.array([v if convert is None or v is None else convert(v) for v in values], type=field.type)
            for values, convert, field in zip(columns, self._converters, self._schema, strict=True)
        ]
        self._writer.write_batch(pa.record_batch(arrays, schema=self._schema))
        return self._taken()

    def end(self) -> bytes:
        """The mark of the end."""
        self._writer.close()
        return self._taken()

    def _taken(self) -> bytes:
        taken = self._sink.getvalue()
        self._sink.seek(0)
        self._sink.truncate()
        return taken

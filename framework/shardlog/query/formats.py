"""The forms in which rows are sent: CSV, NDJSON, Arrow. JSON is one object and made where its other fields are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeAlias, get_args

import msgspec

from shardlog.ports.reading import ResultColumn
from shardlog.query.values import text_of

FormatName: TypeAlias = Literal["json", "csv", "ndjson", "arrow"]
FORMATS: tuple[FormatName, ...] = get_args(FormatName)
MEDIA_TYPES: Mapping[FormatName, str] = {
    "json": "application/json",
    "csv": "text/csv",
    "ndjson": "application/x-ndjson",
    "arrow": "application/vnd.apache.arrow.stream",
}
Rows: TypeAlias = Sequence[tuple[object, ...]]
encode = msgspec.json.Encoder().encode
"""In the order of columns and fields."""


class RowWriter(ABC):
    """Rows of one result as bytes, chunk by chunk."""

    def __init__(self, columns: Sequence[ResultColumn]) -> None:
        self.columns = columns

    def begin(self) -> bytes:
        """What stands before the rows."""
        return b""

    @abstractmethod
    def rows(self, rows: Rows) -> bytes:
        """Some rows."""

    def end(self) -> bytes:
        """What stands behind them."""
        return b""


class CsvWriter(RowWriter):
    """RFC 4180 with a line of names. Null is nothing, and an empty text is "", as in PostgreSQL's COPY."""

    def begin(self) -> bytes:
        """The names."""
        return (",".join(_quoted(column.name) for column in self.columns) + "\r\n").encode()

    def rows(self, rows: Rows) -> bytes:
        """A line each."""
        lines = [",".join("" if v is None else _quoted(text_of(v)) for v in row) + "\r\n" for row in rows]
        return "".join(lines).encode()


class NdjsonWriter(RowWriter):
    """An object a line."""

    def rows(self, rows: Rows) -> bytes:
        """A line each."""
        return b"".join(encode(row) + b"\n" for row in as_objects(self.columns, rows))


def as_objects(columns: Sequence[ResultColumn], rows: Rows) -> list[dict[str, object]]:
    """Rows by the names of their columns, as JSON has them: decimals and UUIDs are texts, bytes base64."""
    names = [column.name for column in columns]
    decimals = [place for place, column in enumerate(columns) if column.kind in (None, "decimal", "time")]
    if decimals:
        rows = [tuple(_json_value(v) if i in decimals else v for i, v in enumerate(row)) for row in rows]
    return [dict(zip(names, row, strict=True)) for row in rows]


def inferred(columns: Sequence[ResultColumn], rows: Rows) -> tuple[Sequence[ResultColumn], Rows]:
    """Kinds for columns whose database does not say, by all values there are; mixed ones become texts."""
    places = [place for place, column in enumerate(columns) if column.kind is None]
    if not places:
        return columns, rows
    known, lists = list(columns), [list(row) for row in rows]
    for place in places:
        types = {type(row[place]) for row in lists} - {type(None)}
        kind = next((kind for kind, held in _INFERRED if types <= held), None)
        known[place] = ResultColumn(columns[place].name, kind or "text")
        if kind is None:
            for row in lists:
                row[place] = None if row[place] is None else text_of(row[place])
        elif kind == "real":
            for row in lists:
                row[place] = None if row[place] is None else float(row[place])  # type: ignore[arg-type]  # int or float
    return known, [tuple(row) for row in lists]


_INFERRED: tuple[tuple[Literal["integer", "real", "text", "bytes"], set[type]], ...] = (
    ("text", {str}),
    ("integer", {int}),
    ("real", {int, float}),
    ("bytes", {bytes}),
)


def writer_of(name: FormatName) -> Callable[[Sequence[ResultColumn]], RowWriter]:
    """What writes this format. Raises ModuleNotFoundError where its library is not here."""
    if name == "arrow":
        from shardlog.query.arrow import ArrowWriter  # pyarrow is large, and loaded for those who ask

        return ArrowWriter
    return CsvWriter if name == "csv" else NdjsonWriter


def _json_value(value: object) -> object:
    return value if isinstance(value, int | float | str | msgspec.Raw) or value is None else text_of(value)


def _quoted(text: str) -> str:
    if text and not any(mark in text for mark in ',"\r\n') and text == text.strip():
        return text
    return '"' + text.replace('"', '""') + '"'

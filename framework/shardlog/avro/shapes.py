"""A type in Avro: its schema, and the way of its values there and back.

Values on this side are builtins: what `msgspec.to_builtins` makes of a message with times, dates, UUIDs and bytes left
as they are, and what `msgspec.convert` takes. On the other side they are what fastavro writes and reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any, TypeAlias
from uuid import UUID

import msgspec

Convert: TypeAlias = Callable[[Any], Any]
JsonSchema: TypeAlias = "str | dict[str, Any] | list[Any]"

AVRO_TYPES = (bytes, datetime, date, UUID)
"""Python types that fastavro takes and gives as they are."""


class Shape(msgspec.Struct, frozen=True, eq=False):
    """One type. branch: what a union calls it, the name of its Avro type or its full name.

    takes: Python types of its values among the builtins; reads: what fastavro gives for them, where that differs. tag:
    (field, value) that marks a struct in a union, the field None where it is an array whose first element is the tag.
    to_avro, from_avro: None where a value stays as it is.
    """

    schema: JsonSchema
    branch: str
    takes: tuple[type, ...]
    to_avro: Convert | None = None
    from_avro: Convert | None = None
    tag: tuple[str | None, str | int] | None = None
    reads: tuple[type, ...] = ()


def text(form: str, **more: object) -> JsonSchema:
    """A string that is more than a string to shardlog: in which form it stands."""
    return {"type": "string", "shardlog": {"form": form, **more}}


NULL = Shape("null", "null", (type(None),))
BOOLEAN = Shape("boolean", "boolean", (bool,))
LONG = Shape("long", "long", (int,))
DOUBLE = Shape("double", "double", (float, int))
STRING = Shape("string", "string", (str,))
BYTES = Shape("bytes", "bytes", (bytes,))
DECIMAL = Shape(text("decimal"), "string", (str,))
TIME = Shape(text("time"), "string", (str,))
DURATION = Shape(text("duration"), "string", (str,))
DATE = Shape({"type": "int", "logicalType": "date"}, "int", (date,))
TIMESTAMP = Shape(
    {"type": "long", "logicalType": "timestamp-micros"},
    "long",
    (datetime,),
    lambda value: value.astimezone(UTC),  # raises OverflowError for an instant that no reader in Python could hold
)
UUID_TEXT = Shape({"type": "string", "logicalType": "uuid"}, "string", (UUID,))
TIMESTAMP_TEXT = Shape(
    text("timestamp"),
    "string",
    (datetime,),
    msgspec.to_builtins,
    lambda value: msgspec.convert(value, datetime),
    reads=(str,),
)
"""For a union that has whole numbers too: both would be a long there."""


def values_of(members: Iterable[object]) -> Iterable[Shape]:
    """Texts and numbers of which only some are allowed, and None."""
    known = list(members)
    texts = [value for value in known if isinstance(value, str)]
    numbers = [value for value in known if isinstance(value, int)]
    if texts:
        yield Shape(text("values", values=sorted(texts)), "string", (str,))
    if numbers:
        schema: JsonSchema = {"type": "long", "shardlog": {"form": "values", "values": sorted(numbers)}}
        yield Shape(schema, "long", (int,))
    if None in known:
        yield NULL


def array(item: Shape) -> Shape:
    """As many as there are, in their order."""
    to_avro, from_avro = item.to_avro, item.from_avro
    return Shape(
        {"type": "array", "items": item.schema},
        "array",
        (list, tuple),
        list if to_avro is None else lambda values: [to_avro(value) for value in values],
        None if from_avro is None else lambda values: [from_avro(value) for value in values],
        reads=(list,),
    )


def unordered(item: Shape) -> Shape:
    """A set: an array in the order of its items' JSON, so that equal sets give equal bytes."""
    plain = array(item)
    to_list = plain.to_avro
    assert to_list is not None
    return msgspec.structs.replace(
        plain,
        schema={"type": "array", "items": item.schema, "shardlog": {"form": "set"}},
        takes=(list, tuple, set, frozenset),
        to_avro=lambda values: sorted(to_list(values), key=_sorted_json),
    )


def mapping(value: Shape) -> Shape:
    """Values by text, in the order of their keys."""
    to_avro, from_avro = value.to_avro, value.from_avro
    return Shape(
        {"type": "map", "values": value.schema},
        "map",
        (dict,),
        lambda pairs: {key: pairs[key] if to_avro is None else to_avro(pairs[key]) for key in sorted(pairs)},
        None if from_avro is None else lambda pairs: {key: from_avro(found) for key, found in pairs.items()},
    )


def takes_no_bytes(schema: JsonSchema, named: Mapping[str, JsonSchema]) -> bool:
    """Whether every value of it is zero bytes in Avro: an array of a billion of them would fit in a record."""
    if isinstance(schema, str):
        return schema == "null" or (schema in named and takes_no_bytes(named[schema], {}))
    return (
        isinstance(schema, dict)
        and schema["type"] == "record"
        and all(takes_no_bytes(field["type"], named) for field in schema["fields"])
    )


_sorted_json = msgspec.json.Encoder(order="sorted").encode

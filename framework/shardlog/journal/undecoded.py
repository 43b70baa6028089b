"""Why a valid frame does not decode with the event classes at hand, in words that say what to do about it (rule R4)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

from shardlog.codec.json import NOT_DECODED, decoder
from shardlog.errors import UnknownFormat
from shardlog.journal.records import Accepted, RawEvent, decode_raw_frame

_CLASS_GONE = (
    "Either newer code wrote it: deploy that code. Or its class was removed or renamed here: bring it back under the "
    "name and version that the journal has, with an upcaster to what takes its place."
)
_CLASS_CHANGED = (
    "Either newer code wrote it: deploy that code. Or its class was changed here after such events were written: give "
    "it back the fields that they have, and make the new form a class of the next version= with an upcaster from the "
    "old one."
)
_FRAME_STRANGE = "This code is older than the journal, or another program wrote this record: deploy the code that did."


def undecoded(
    shard: int, offset: int, body: bytes | memoryview, event_types: Iterable[type[msgspec.Struct]], error: Exception
) -> UnknownFormat:
    """What to raise for the body of a valid frame that a decoder of these event types refused.

    event_types: the record types that the decoder was made of (`event_record`). error: what it raised. The first event
    that is at fault is named, with its stream and the field; where none is, the frame itself is.
    """
    try:
        frame = decode_raw_frame(body)
    except NOT_DECODED as not_format_1:
        return UnknownFormat(
            shard, offset, f"a valid frame does not decode as format 1: {not_format_1}", _FRAME_STRANGE
        )
    known = {str(record.__struct_config__.tag): record for record in event_types}
    events = (event for entry in frame.entries if isinstance(entry, Accepted) for event in entry.events)
    fault = next(_faults(events, known), None)
    if fault is None:
        return UnknownFormat(shard, offset, f"a valid frame does not decode: {error}", _FRAME_STRANGE)
    event, why, remedy = fault
    stream = f"{event.type.partition('/')[0]}/{event.id}"
    return UnknownFormat(shard, offset, f"{stream} version {event.version} is a {event.type!r}, {why}", remedy)


class _Fault(NamedTuple):
    event: RawEvent
    why: str
    remedy: str


def _faults(events: Iterable[RawEvent], known: dict[str, type[msgspec.Struct]]) -> Iterator[_Fault]:
    for event in events:
        record = known.get(event.type)
        if record is None:
            yield _Fault(event, "for which this application has no class", _CLASS_GONE)
            continue
        data_type: Any = next(field.type for field in msgspec.structs.fields(record) if field.name == "data")
        try:
            decoder(data_type).decode(event.data)
        except NOT_DECODED as error:
            yield _Fault(event, f"which does not decode as {data_type.__name__}: {error}", _CLASS_CHANGED)

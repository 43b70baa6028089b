"""What stands in a record's body: claims, frames, entries and events, as arrays in the order of format 1.

An event's type is open: a decoder is built for the event classes at hand, or for none: then events keep their bytes.
No field has a default, so an array of another length does not decode (rule R4).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Annotated, Any, Generic, Literal, TypeAlias, TypeVar, Union

import msgspec

from shardlog.codec.json import decode_hook
from shardlog.journal.envelope import INTEGER_MAX

E = TypeVar("E")
Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=INTEGER_MAX)]
"""An integer of format 1: from 0 to 2^53-1."""
Place: TypeAlias = tuple[Count, Count, Count]
"""Where a send stands in its shard: epoch, seq, number. Places of one shard compare as they were written."""
Channel: TypeAlias = Literal["http", "grpc", "local", "kafka", "manager", "feeder"]
"""How a command came in, which says what window its id enters."""


class ClaimBody(msgspec.Struct, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True):
    """Who claims. address: "host:port" or "". assignment: a version or 0. time: in microseconds. build: code digest."""

    owner: str
    address: str
    assignment: Count
    time: Count
    build: str


class SendRecord(msgspec.Struct, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True):
    """A process manager's command. shard: the target. previous: the send before it from this shard to that target."""

    manager: str
    category: str
    id: str
    command: str
    payload: msgspec.Raw
    shard: Count
    previous: Place | None


class Origin(msgspec.Struct, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True):
    """The send that a command came by. manager: "" for a forward. shard: the source. epoch, seq, number: its place."""

    manager: str
    shard: Count
    epoch: Count
    seq: Count
    number: Count
    previous: Place | None


class Accepted(msgspec.Struct, Generic[E], frozen=True, gc=False, array_like=True, forbid_unknown_fields=True, tag="a"):
    """A command that was accepted. check: CRC-32 of its payload. correlation: "" where it is the command id."""

    category: str
    id: str
    command: str
    command_id: str
    tenant: str
    actor: str
    channel: Channel
    correlation: str
    causation: str
    traceparent: str
    occurred_at: Count | None
    check: Count
    origin: Origin | None
    reply_to: str
    events: list[E]
    sends: list[SendRecord]


class Rejected(msgspec.Struct, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True, tag="r"):
    """A command that was refused. payload: the command if it has an origin, else `null`. source: input and offset."""

    category: str
    id: str
    command: str
    command_id: str
    tenant: str
    actor: str
    channel: Channel
    correlation: str
    causation: str
    traceparent: str
    occurred_at: Count | None
    check: Count
    origin: Origin | None
    reply_to: str
    code: str
    message: str
    details: dict[str, Any] | None
    payload: msgspec.Raw
    source: tuple[str, Count] | None
    sends: list[SendRecord]


class Forwarded(msgspec.Struct, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True, tag="f"):
    """A record of an input that belongs to another shard: a send of its bytes, which takes a number like any."""

    input: str
    offset: Count
    shard: Count
    previous: Place | None


class Unreadable(msgspec.Struct, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True, tag="x"):
    """A record of an input that says no command: a dead letter with the bytes that stand there."""

    input: str
    offset: Count
    code: str
    message: str


class FrameBody(msgspec.Struct, Generic[E], frozen=True, gc=False, array_like=True, forbid_unknown_fields=True):
    """A frame. time: in microseconds, never before that of the frame before it. inputs: first offsets not settled."""

    time: Count
    inputs: dict[str, Count]
    entries: list[Accepted[E] | Rejected | Forwarded | Unreadable]


Entry: TypeAlias = "Accepted[Any] | Rejected | Forwarded | Unreadable"


class RawEvent(msgspec.Struct, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True):
    """An event of any class. type: `category/name/schema version`. data: its bytes, part of the frame's memory."""

    type: str
    id: str
    version: Count
    data: msgspec.Raw


@lru_cache(maxsize=4_096)
def event_record(category: str, name: str, schema_version: int, data_type: Any) -> type[msgspec.Struct]:
    """The record type of one event class: an array of its tag, `id`, `version` and `data`. Made once.

    data_type: the event class, or msgspec.Raw to keep the bytes.
    """
    return msgspec.defstruct(
        f"{name}Record",
        [("id", str), ("version", Count), ("data", data_type)],
        tag=f"{category}/{name}/{schema_version}",
        array_like=True,
        frozen=True,
        gc=False,
        forbid_unknown_fields=True,
    )


class _NoEvent(msgspec.Struct, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True, tag=""):
    """The event type of a decoder that knows no event: no event has an empty tag."""


@lru_cache(maxsize=256)
def frame_decoder(event_types: tuple[type[msgspec.Struct], ...]) -> Callable[[bytes | memoryview], FrameBody[Any]]:
    """What decodes the bodies of frames whose events are of these record types. It raises msgspec.DecodeError.
    Made once: every shard of a process, and every projector, decodes by the same one."""
    union: Any = Union[event_types] if event_types else _NoEvent  # noqa: UP007  # made at run time
    return msgspec.json.Decoder(FrameBody[union], dec_hook=decode_hook).decode


decode_raw_frame: Callable[[bytes | memoryview], FrameBody[RawEvent]] = msgspec.json.Decoder(FrameBody[RawEvent]).decode
"""Decodes the body of any frame, for tools that know no event class. It raises msgspec.DecodeError."""
decode_claim: Callable[[bytes | memoryview], ClaimBody] = msgspec.json.Decoder(ClaimBody).decode
"""Decodes the body of a claim. It raises msgspec.DecodeError."""
_encode = msgspec.json.Encoder().encode


def encode_claim(body: ClaimBody) -> bytes:
    """A claim's body as bytes."""
    return _encode(body)


def frame_pieces(time: int, inputs: dict[str, int], entries: Sequence[bytes]) -> list[bytes]:
    """A frame's body in pieces between which commas stand, from entries that are encoded. Names of inputs are sorted.

    In pieces, so that a record is put together once: frames are large, and memory of their size is dear to get.
    """
    head = b"[%d,%b,[" % (time, _encode(dict(sorted(inputs.items()))))
    if not entries:
        return [head + b"]]"]
    pieces = list(entries)
    pieces[0] = head + pieces[0]
    pieces[-1] += b"]]"
    return pieces


def encode_frame(time: int, inputs: dict[str, int], entries: Sequence[bytes]) -> bytes:
    """A frame's body as bytes."""
    return b",".join(frame_pieces(time, inputs, entries))


def entry_indexes(entry: Entry) -> int:
    """How many indexes an entry takes: one an event, and one where it has none."""
    return len(entry.events) or 1 if isinstance(entry, Accepted) else 1

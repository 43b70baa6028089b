"""A command on its way to a shard: the record that inputs carry, and the request of somebody who waits for an
answer."""

from __future__ import annotations

import re
from typing import Any, Literal, Protocol, TypeAlias
from zlib import crc32

import msgspec

from shardlog.codec.json import NOT_DECODED as NOT_DECODED
from shardlog.journal.records import Count, Origin
from shardlog.model.messages import State
from shardlog.model.outcomes import CommandRejected, CommandUnavailable

RECORD_FORMAT: Literal[1] = 1


class CommandRecord(msgspec.Struct, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True):
    """What a record of a commands topic or a feeder holds, as a JSON array in this order.

    format: 1. id: the stream's. command: its wire name. command_id: 1 to 128 printable characters, "" for none.
    expected_version: refuse unless the stream stands there. occurred_at: microseconds since 1970 UTC, null for the
    frame's time. payload: the command as a JSON object. origin: only on what a relay carries.
    """

    format: Literal[1]
    category: str
    id: str
    command: str
    command_id: str
    tenant: str
    actor: str
    correlation: str
    causation: str
    traceparent: str
    reply_to: str
    expected_version: Count | None
    occurred_at: Count | None
    payload: msgspec.Raw
    origin: Origin | None = None


class StreamState(msgspec.Struct, frozen=True):
    """What a stream stood at when it was read: acknowledged state. version: 0 for a stream without events."""

    version: int
    state: State


Found: TypeAlias = StreamState | CommandRejected | CommandUnavailable
"""What comes of reading a stream: rejected for an unknown category or an id that is none."""


class Sink(Protocol):
    """Where answers go."""

    def deliver(self, answers: list[tuple[Any, Any]], /) -> None:
        """Take the answers of one frame: (ticket, outcome), in the order of decision. Called from the build
        thread. An outcome is an Outcome for a Request, and Found for a Read."""


class Request(msgspec.Struct, frozen=True, gc=False):
    """A command of somebody who waits.

    channel: `local`, `http` or `grpc`. ticket: given back with the answer. decided_at: the time of the frame in which
    it was first decided, where that frame's fate is unknown; microseconds since 1970 UTC. is_decoded: each field of the
    record was decoded from bytes as its type asks, so that it can be read back.
    """

    record: CommandRecord
    channel: str
    sink: Sink
    ticket: Any
    decided_at: int | None = None
    is_decoded: bool = False


class Read(msgspec.Struct, frozen=True, gc=False):
    """A stream's state for somebody who waits; it is answered behind all that was asked before it."""

    category: str
    id: str
    sink: Sink
    ticket: Any


Waiting: TypeAlias = Request | Read
"""Whoever waits in front of a shard."""


decode_record = msgspec.json.Decoder(CommandRecord).decode
_encode = msgspec.json.Encoder().encode
_element = re.compile(r"`\$\[(\d+)\][^`]*`")


def why_undecodable(error: Exception) -> str:
    """What is wrong with a record, for whoever wrote it: elements of the array by their names, too.

    >>> why_undecodable(ValueError("Expected `str`, got `int` - at `$[4]`"))
    'no command record: Expected `str`, got `int` - at `$[4]` (command_id)'
    """

    def named(place: re.Match[str]) -> str:
        number = int(place[1])
        fields = CommandRecord.__struct_fields__
        return f"{place[0]} ({fields[number]})" if number < len(fields) else place[0]

    return "no command record: " + _element.sub(named, str(error))


def validated(record: CommandRecord) -> CommandRecord:
    """The record as an input would have brought it. Raises ValueError for a field that could not be read back."""
    try:
        return decode_record(_encode(record))
    except (msgspec.MsgspecError, UnicodeError, TypeError, OverflowError, RecursionError) as error:
        raise ValueError(str(error)) from error


def payload_check(record: CommandRecord) -> int:
    """What a repeat must agree with: CRC-32 of command, a zero byte and payload, and of what the command expects."""
    return with_expectations(crc32(record.payload, crc32(record.command.encode() + b"\0")), record)


def with_expectations(check: int, record: CommandRecord) -> int:
    """The check of command and payload, carried on over expected version and time of occurrence where one is given.

    Both follow behind another zero byte as a JSON array, so that the same id with another expectation is another
    command (rule D6).
    """
    if record.expected_version is None and record.occurred_at is None:
        return check
    return crc32(b"\0" + _encode((record.expected_version, record.occurred_at)), check)

"""A command on its way to a shard: the record that inputs carry, and the request of somebody who waits for an
answer."""

from __future__ import annotations

from typing import Any, Literal, Protocol
from zlib import crc32

import msgspec

from shardlog.journal.records import Count, Origin
from shardlog.model.outcomes import Outcome

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


class Sink(Protocol):
    """Where answers go."""

    def deliver(self, answers: list[tuple[Any, Outcome]], /) -> None:
        """Take the answers of one frame: (ticket, outcome), in the order of decision. Called from the build
        thread."""


class Request(msgspec.Struct, frozen=True, gc=False):
    """A command of somebody who waits. channel: `local`, `http` or `grpc`. ticket: given back with the answer."""

    record: CommandRecord
    channel: str
    sink: Sink
    ticket: Any


NOT_DECODED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are not as they should be; the last two for no UTF-8, and for nesting too
deep."""
decode_record = msgspec.json.Decoder(CommandRecord).decode
_encode = msgspec.json.Encoder().encode


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

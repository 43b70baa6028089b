"""A typed command of a caller in this process, as the record that executors take."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Any, TypedDict

import msgspec

from shardlog.codec.json import encode
from shardlog.executor.requests import RECORD_FORMAT, CommandRecord, decode_record
from shardlog.ids import uuid7
from shardlog.model.messages import Command
from shardlog.model.stream import Stream

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class CommandOptions(TypedDict, total=False):
    """What may be said beside a command.

    command_id: whoever may send a command again gives it the same id each time; default: a fresh UUIDv7, with which a
    second sending is a second command. expected_version: refuse unless the stream stands there, 0 for a stream
    without events. occurred_at: when it happened, with a time zone; default: the frame's time. traceparent: W3C trace
    context.
    """

    command_id: str
    expected_version: int
    occurred_at: datetime
    tenant: str
    actor: str
    correlation_id: str
    causation_id: str
    traceparent: str


def command_record(
    stream: Stream[Any, Any, Any], command: Command, now_us: int, options: CommandOptions
) -> CommandRecord:
    """The record. Raises ValueError for an option that cannot be recorded."""
    occurred_at = options.get("occurred_at")
    if occurred_at is not None and occurred_at.tzinfo is None:
        raise ValueError(f"occurred_at={occurred_at!r} has no time zone: give it one, as in datetime(..., tzinfo=UTC)")
    record = CommandRecord(
        RECORD_FORMAT,
        stream.aggregate.category,
        stream.id,
        type(command).__wire_name__,
        options.get("command_id") or uuid7(now_us, os.urandom(10)),
        options.get("tenant", ""),
        options.get("actor", ""),
        options.get("correlation_id", ""),
        options.get("causation_id", ""),
        options.get("traceparent", ""),
        "",
        options.get("expected_version"),
        None if occurred_at is None else (occurred_at - _EPOCH) // timedelta(microseconds=1),
        msgspec.Raw(encode(command)),
    )
    try:
        return decode_record(msgspec.json.encode(record))
    except (msgspec.MsgspecError, TypeError, UnicodeError) as error:
        raise ValueError(
            f"{record.category}/{record.id}: an option of {record.command} cannot be recorded: {error}"
        ) from error

"""A typed command of a caller in this process, as the record that executors take."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Any, TypedDict
from uuid import UUID

import msgspec

from shardlog.codec.json import encode
from shardlog.executor.requests import RECORD_FORMAT, CommandRecord
from shardlog.ids import uuid7
from shardlog.model.messages import Command
from shardlog.model.names import closest
from shardlog.model.stream import Stream

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class CommandOptions(TypedDict, total=False):
    """What may be said beside a command.

    command_id: whoever may send a command again gives it the same id each time; default: a fresh UUIDv7, with which a
    second sending is a second command. expected_version: refuse unless the stream stands there, 0 for a stream
    without events. occurred_at: when it happened, with a time zone; default: the frame's time. traceparent: W3C trace
    context.
    """

    command_id: str | UUID
    expected_version: int
    occurred_at: datetime
    tenant: str
    actor: str
    correlation_id: str
    causation_id: str
    traceparent: str


_TYPES: dict[str, tuple[type, ...]] = {
    "command_id": (str, UUID),
    "expected_version": (int,),
    "occurred_at": (datetime,),
    "tenant": (str,),
    "actor": (str,),
    "correlation_id": (str,),
    "causation_id": (str,),
    "traceparent": (str,),
}


def command_record(
    stream: Stream[Any, Any, Any], command: Command, now_us: int, options: CommandOptions
) -> CommandRecord:
    """The record. Raises TypeError for an argument of a wrong type, ValueError for a time without a zone."""
    _check_types(stream, command, options)
    occurred_at = options.get("occurred_at")
    if occurred_at is not None and occurred_at.tzinfo is None:
        raise ValueError(f"occurred_at={occurred_at!r} has no time zone: give it one, as in datetime(..., tzinfo=UTC)")
    return CommandRecord(
        RECORD_FORMAT,
        stream.aggregate.category,
        stream.id,
        type(command).__wire_name__,
        str(options["command_id"]) if "command_id" in options else uuid7(now_us, os.urandom(10)),
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


def _check_types(stream: object, command: object, options: CommandOptions) -> None:
    if not isinstance(stream, Stream):
        raise TypeError(f"{stream!r} is {_kind(stream)}, and must be a Stream: account.stream('acme:001')")
    if not isinstance(command, Command):
        raise TypeError(f"{command!r} is {_kind(command)}, and must be a Command for {stream}")
    for name, value in options.items():
        if name not in _TYPES:
            raise TypeError(f"there is no option {name!r}{closest(name, _TYPES)}; there are: {', '.join(_TYPES)}")
        if not isinstance(value, _TYPES[name]) or isinstance(value, bool):
            allowed = " or ".join(type_.__name__ for type_ in _TYPES[name])
            raise TypeError(f"{name}={value!r} is {_kind(value)}, and must be {allowed}; leave it out for its default")


def _kind(value: object) -> str:
    return "None" if value is None else f"of type {type(value).__name__}"

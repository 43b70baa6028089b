"""One command while it is decided: where it came from, and what has come of it so far."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec

from shardlog.errors import EngineRejection, ShardlogError
from shardlog.executor.registry import EventType, Handler
from shardlog.executor.requests import CommandRecord, Request
from shardlog.model.messages import Command, Event
from shardlog.snapshots.slot import Slot
from shardlog.telemetry.fields import Fields

log = logging.getLogger("shardlog.executor")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class HeardEvent(NamedTuple):
    """A new event that process managers listen to."""

    category: str
    id: str
    version: int
    event: Event
    type: EventType


class Decision(msgspec.Struct, gc=False):
    """A command under way. source: input and offset of a record. key: its key in a window.

    shown: the events to answer with, where somebody waits. heard: those that process managers listen to. issued: the
    time in a request's command id, microseconds since 1970 UTC; None where it holds none.
    """

    record: CommandRecord
    channel: str
    source: tuple[str, int] | None
    request: Request | None
    key: bytes | None
    command: Command | None = None
    shown: list[Event] | None = None
    heard: list[HeardEvent] | None = None
    issued: int | None = None

    def note(self, category: str, id: str, version: int, event: Event, type_: EventType) -> None:
        """An event that process managers listen to."""
        if self.heard is None:
            self.heard = []
        self.heard.append(HeardEvent(category, id, version, event, type_))


class WrongVersion(EngineRejection):
    """The stream does not stand at the version that the command expects."""

    def __init__(self, expected: int, actual: int) -> None:
        super().__init__(
            "wrong_version", f"the stream is at version {actual}, and the command expects {expected}: read it again"
        )
        self.details = {"expected": expected, "actual": actual}


def check_version(expected: int, slot: Slot | None) -> None:
    """Refuse unless the stream stands at the expected version; 0 is a stream without events. Raises WrongVersion."""
    actual = 0 if slot is None else slot.version
    if actual != expected:
        raise WrongVersion(expected, actual)


class ProcessManagerFailed(ShardlogError):
    """A process manager raised on an event; the command that led to it is rejected."""

    def __init__(self, manager: str, error: BaseException) -> None:
        super().__init__(f"process manager {manager!r} raised {type(error).__name__}: {_said(error)}")
        self.manager = manager
        self.error = error


def internal_error(handler: Handler, record: CommandRecord, about: Fields, error: BaseException) -> EngineRejection:
    """What a caller hears of an exception in the domain's code; the traceback goes to the log."""
    who = f"{getattr(handler.decide, '__name__', record.command)} of {record.category!r}"
    if isinstance(error, ProcessManagerFailed):
        who, error = f"process manager {error.manager!r}, on what {who} led to,", error.error
    log.error(
        "shard %d: %s/%s: command %s (id %s) ended in an exception; it is rejected and the shard goes on",
        about["shard"],
        record.category,
        record.id,
        record.command,
        record.command_id,
        exc_info=error,
        extra=about,
    )
    return EngineRejection(
        "internal_error",
        f"{who} ended in {type(error).__name__}: {_said(error)}. Nothing was written; "
        "the log of the executor has the traceback",
    )


def _said(error: BaseException) -> str:
    """The exception's text, as far as it has one that can be written."""
    try:
        return str(error).encode(errors="backslashreplace").decode()
    except BaseException as its_own:  # noqa: BLE001  # `__str__` is the domain's code too
        return f"(its text cannot be shown: {type(its_own).__name__})"


def instant(time_us: int) -> datetime:
    """Microseconds since 1970 UTC as an aware datetime."""
    return _EPOCH + timedelta(microseconds=time_us)

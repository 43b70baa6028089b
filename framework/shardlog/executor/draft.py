"""A frame while it is built and until it is acknowledged: its entries, how to undo it, and who waits for it."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from shardlog.executor.registry import Category
from shardlog.executor.requests import Found, Request, Waiting
from shardlog.executor.window import Place
from shardlog.journal.records import frame_pieces
from shardlog.model.outcomes import Outcome
from shardlog.ports.sends import At
from shardlog.snapshots.slot import Slot
from shardlog.telemetry.counts import code_class

RECORDED = frozenset({"rejected", "forwarded", "unreadable"})
"""Outcomes that leave an entry, beside `accepted`."""


class Known(msgspec.Struct, frozen=True, gc=False):
    """An id that this frame brings into a window. time: the later of the frame's and the one in the id."""

    first_index: int
    check: int
    time: int


class AcceptedAnswer(msgspec.Struct, frozen=True, gc=False):
    """An answer that gets its token when the frame is acknowledged. last_index: of the entry's last event."""

    request: Request
    last_index: int
    version: int | None
    events: tuple[Any, ...]


class RejectedAnswer(msgspec.Struct, frozen=True, gc=False):
    """A recorded rejection, which gets its token when the frame is acknowledged."""

    request: Request
    last_index: int
    code: str
    message: str
    details: dict[str, Any] | None


class PlainAnswer(msgspec.Struct, frozen=True, gc=False):
    """An answer that leaves no entry; it waits for the frame all the same, since it may rest on what is before it."""

    request: Waiting
    outcome: Outcome | Found


class RepeatAnswer(msgspec.Struct, frozen=True, gc=False):
    """A repeat: it gets the first answer, read again from its frame.

    place: where that stands; None while its frame is on its way: the window names it once it is acknowledged.
    """

    request: Request
    key: bytes
    place: Place | None


Answer = AcceptedAnswer | RejectedAnswer | PlainAnswer | RepeatAnswer


class Before(NamedTuple):
    """The small state as it was before the frame."""

    time: int
    inputs: dict[str, int]
    sent: dict[int, At]
    received: dict[int, At]


class Draft:
    """One frame. Its state changes are applied at once and undone from its list when the append fails."""

    __slots__ = (
        "answers",
        "before",
        "bytes",
        "commands",
        "counted",
        "entries",
        "index",
        "keys",
        "moves",
        "received",
        "sends",
        "seq",
        "tally",
        "time",
        "undo",
    )

    def __init__(self, time: int, seq: int, before: Before) -> None:
        self.time = time
        self.seq = seq
        self.before = before
        self.entries: list[bytes] = []
        self.bytes = 0
        self.commands = 0
        self.index = 0
        self.sends = 0
        self.moves: dict[str, int] = {}
        self.received: dict[int, At] = {}
        self.keys: dict[bytes, Known] = {}
        self.counted: dict[bytes, Known] = {}
        self.answers: list[Answer] = []
        self.tally: dict[tuple[str, str], int] = {}
        self.undo: list[tuple[Category, str, Slot | None]] = []

    @property
    def has_something_to_record(self) -> bool:
        """Whether it must become a frame: it has entries, or an input moved over repeats or gaps."""
        return bool(self.entries or self.moves)

    def record(self, entry: bytes, indexes: int) -> int:
        """Take an entry that occupies so many indexes; returns the index of its last one."""
        self.entries.append(entry)
        self.bytes += len(entry) + 1
        self.index += indexes
        return self.index - 1

    def count(self, outcome: str, code: str = "") -> None:
        """One that is not accepted, for the figures. code: a rejection's; those of a domain are counted as one."""
        kind = outcome, code_class(code) if code else ""
        self.tally[kind] = self.tally.get(kind, 0) + 1

    @property
    def accepted(self) -> int:
        """How many of its entries are commands that were accepted."""
        if not self.tally:
            return self.commands
        return self.commands - sum(count for (outcome, _), count in self.tally.items() if outcome in RECORDED)

    def body(self) -> list[bytes]:
        """The frame's body in pieces: time, the inputs that move, entries. To be asked for once: the entries are let go
        of, so that their memory serves the next frame while this one waits to be acknowledged."""
        entries, self.entries = self.entries, []
        self.commands = len(entries)
        return frame_pieces(self.time, self.moves, entries)

    def undo_writes(self) -> None:
        """Put every stream back to what it was before this frame."""
        for category, id, slot in reversed(self.undo):
            category.put_back(id, slot)

"""One stream's history: its events, and the state after each, by the application's own upcasters and evolve."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import msgspec

from shardlog.codec.json import NOT_DECODED, decoder
from shardlog.errors import ReplayFailed, UnknownFormat
from shardlog.inspection.records import decoded_frame
from shardlog.journal.reader import FrameTaken, Reader
from shardlog.journal.records import Accepted, RawEvent
from shardlog.model.messages import Event, State
from shardlog.model.names import closest
from shardlog.model.recorded import Position
from shardlog.model.stream import Stream
from shardlog.model.upcasting import upcast
from shardlog.ports.journal import Journal
from shardlog.snapshots.reading import Snapshot

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One event and where it leads. type: `category/name/schema version`. data: as it was written. time: of the frame.

    occurred_at: when it happened, the frame's time where the command did not say.
    """

    version: int
    type: str
    data: msgspec.Raw
    state: State
    time: datetime
    occurred_at: datetime
    position: Position
    command: str
    command_id: str
    actor: str


class History:
    """A stream's steps as a shard's log is read. version, state: after the last one."""

    def __init__(self, stream: Stream[Any, Any, Any], reader: Reader) -> None:
        """reader: of the stream's shard, from the beginning of the journal."""
        self.stream = stream
        self.version = 0
        self.state: State = stream.aggregate.initial
        self._reader = reader
        self._prefix = f"{stream.aggregate.category}/"
        self._needle = msgspec.json.encode(stream.id)

    @classmethod
    def behind(cls, stream: Stream[Any, Any, Any], snapshot: Snapshot) -> History:
        """From where a snapshot stands. Raises SnapshotUnusable."""
        history = cls(stream, Reader.from_state(snapshot.manifest.about.reader))
        for stored in snapshot.streams():
            if (stored.category, stored.id) == (stream.aggregate.category, stream.id):
                history.version, history.state = stored.version, stored.state
        return history

    @property
    def position(self) -> int:
        """The next offset to be read."""
        return self._reader.position

    def read(self, journal: Journal, passed: Callable[[int], object] = lambda offset: None) -> Iterator[Step]:
        """The steps from here to the end as known now; may be called again for what came since.

        passed: called with each offset. Raises ReplayFailed where evolve fails, UnknownFormat for an event without a
        class, and what stops a reader: Corrupt, Diverged, Truncated.
        """
        reader = self._reader
        for offset, value in journal.read(reader.shard, reader.position):
            verdict = reader.pass_over(offset, value)
            passed(offset)
            if isinstance(verdict, FrameTaken) and self._needle in value:
                yield from self._frame(offset, verdict.body)

    def _frame(self, offset: int, body: memoryview) -> Iterator[Step]:
        frame = decoded_frame(self._reader.shard, offset, body)
        time = _time(frame.time)
        index = 0
        for entry in frame.entries:
            events = entry.events if isinstance(entry, Accepted) else ()
            for number, event in enumerate(events):
                if event.id == self.stream.id and event.type.startswith(self._prefix):
                    yield self._step(event, entry, time, Position(*self._place(offset, index + number)))
            index += len(events) or 1

    def _place(self, offset: int, index: int) -> tuple[str, int, int, int]:
        return self._reader.journal, self._reader.shard, offset, index

    def _step(self, event: RawEvent, entry: Any, time: datetime, position: Position) -> Step:
        decoded = self._decoded(event, position.offset)
        try:
            if event.version != self.version + 1:
                raise ValueError(f"the stream stands at version {self.version}")
            for newest in upcast(self.stream.aggregate, decoded):
                self.state = self.stream.aggregate.evolutions[type(newest)](self.state, newest)
        except Exception as error:
            why = f"{type(error).__name__}: {error}"
            raise ReplayFailed(position.shard, position.offset, str(self.stream), event.version, why) from error
        self.version = event.version
        return Step(
            version=event.version,
            type=event.type,
            data=event.data,
            state=self.state,
            time=time,
            occurred_at=time if entry.occurred_at is None else _time(entry.occurred_at),
            position=position,
            command=entry.command,
            command_id=entry.command_id,
            actor=entry.actor,
        )

    def _decoded(self, event: RawEvent, offset: int) -> Event:
        _, name, version = event.type.split("/")
        known = self.stream.aggregate.events_by_name
        found = known.get((name, int(version)))
        place = f"{self.stream} version {event.version} is a {event.type!r}"
        if found is None:
            near = closest(name, [name for name, _ in known])
            raise UnknownFormat(self._reader.shard, offset, f"{place}, and the application has no class for it{near}")
        try:
            return decoder(found).decode(event.data)
        except NOT_DECODED as error:
            why = f"{place}, and does not decode as {found.__name__}: {error}"
            raise UnknownFormat(self._reader.shard, offset, why) from error


# -- where a look ends -------------------------------------------------------------------------------------------------
At: TypeAlias = int | datetime | Position
"""A version, a recorded time (inclusive) or a position (inclusive)."""


def is_behind(step: Step, at: At) -> bool:
    """Whether the step comes after what was asked for."""
    if isinstance(at, Position):
        return (step.position.offset, step.position.index) > (at.offset, at.index)
    return step.time > at if isinstance(at, datetime) else step.version > at


def parse_at(text: str) -> At:
    """What `--at` says: a version, a time with its zone, or a token. Raises ValueError, InvalidToken among them."""
    if text.isdecimal():
        return int(text)
    if text.count(".") >= 3:
        return Position.parse(text)
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is neither a version (17), nor a recorded time (2026-03-01T12:00:00Z), nor a consistency token"
        ) from None
    if time.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone: write {time.isoformat()}Z for UTC")
    return time


def _time(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)

"""What has happened in a test: streams, their states, and a journal of events and refusals, with every check on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

import msgspec

from shardlog.codec.json import encode
from shardlog.errors import DomainError, Rejection
from shardlog.model.aggregate import Aggregate
from shardlog.model.messages import Command, Event, State
from shardlog.model.names import listed
from shardlog.model.recorded import Position, Recorded, RecordedRejection
from shardlog.model.stream import Stream
from shardlog.model.upcasting import upcast
from shardlog.testing.kit.purity import Kind, purely
from shardlog.testing.kit.round_trip import round_trip

__tracebackhide__ = True

S = TypeVar("S", bound=State)
AnyStream = Stream[Any, Any, Any]
AnyAggregate = Aggregate[Any, Any, Any]

START = datetime(2026, 1, 1, tzinfo=UTC)
"""The time at which every test begins."""
JOURNAL = "00000000-0000-8000-8000-000000000000"


class Happened(msgspec.Struct, frozen=True):
    """An event of the journal."""

    stream: AnyStream
    event: Event
    recorded: Recorded


class Refused(msgspec.Struct, frozen=True):
    """A business rejection of the journal."""

    stream: AnyStream
    rejection: RecordedRejection
    recorded: Recorded


class Request(msgspec.Struct, frozen=True):
    """What comes with a command."""

    actor: str = ""
    tenant: str = ""
    occurred_at: datetime | None = None
    expected_version: int | None = None


class World:
    """The rules of the executor in a dictionary."""

    def __init__(self) -> None:
        self.now = START
        self.commands = 0
        self.journal: list[Happened | Refused] = []
        self._states: dict[str, State] = {}
        self._histories: dict[str, list[Event]] = {}

    def state(self, stream: Stream[S, Any, Any]) -> S:
        """The state of a stream; the aggregate's initial one before its first event."""
        return cast("S", self._states.get(str(stream), stream.aggregate.initial))

    def version(self, stream: AnyStream) -> int:
        """The version of the stream's last event, 0 before the first."""
        return len(self._histories.get(str(stream), ()))

    def record_past(self, stream: AnyStream, events: Sequence[Event]) -> None:
        """Put events that happened before the test, of old versions too."""
        self._record(stream, events, Request())

    def record(self, stream: AnyStream, events: Sequence[Event], request: Request) -> None:
        """Put events that were decided now. Raises DomainError for one that today's code only reads."""
        for event in events:
            if type(event) in stream.aggregate.upcasters:
                raise DomainError(
                    f"{type(event).__name__} is not an event that aggregate {stream.aggregate.category!r} records "
                    "today: its upcaster says what takes its place"
                )
        self._record(stream, events, request)

    def refuse(self, stream: AnyStream, command: type[Command], rejection: Rejection, request: Request) -> None:
        """Put a business rejection."""
        refused = RecordedRejection(
            category=stream.aggregate.category,
            id=stream.id,
            command=command.__wire_name__,
            code=rejection.code,
            message=rejection.message,
        )
        self.journal.append(Refused(stream, refused, self._recorded(stream, request)))

    def evolve(self, aggregate: AnyAggregate, state: State, event: Event) -> State:
        """The next state. Raises DomainError where the evolve is missing, impure, raises, or returns no state."""
        function = aggregate.evolutions.get(type(event))
        if function is None:
            raise DomainError(
                f"{type(event).__name__} has no evolve in aggregate {aggregate.category!r}"
                f"{aggregate.why_unknown(type(event))}"
            )
        before, name = encode(state), getattr(function, "__name__", repr(function))
        try:
            new: object = purely(Kind.EVOLVE, function, state, event)
        except DomainError:
            raise
        except Exception as error:
            raise DomainError(
                f"{name} raised {type(error).__name__}: {error}, on {event!r} and {state!r}. An evolve never refuses: "
                "the event has happened. In production the command would be rejected (internal_error), and on replay "
                "the shard would stop."
            ) from error
        assert encode(state) == before, (
            f"{name} changed the state it was given: build a new one with replace(state, ...)"
        )
        if not isinstance(new, State):
            raise DomainError(f"{name} returned {new!r}: an evolve returns the next state (a forgotten `return`?)")
        return new

    def _record(self, stream: AnyStream, events: Sequence[Event], request: Request) -> None:
        must_be_complete(stream.aggregate)
        state: State = self.state(stream)
        for event in events:
            written = round_trip(event)
            for current in upcast(stream.aggregate, written):
                state = self.evolve(stream.aggregate, state, current)
            self._histories.setdefault(str(stream), []).append(written)
            self.journal.append(Happened(stream, written, self._recorded(stream, request)))
        replayed = self._replayed(stream)
        assert encode(replayed) == encode(state), (
            f"{stream}: replay gives another state\n  live   {state}\n  replay {replayed}"
        )
        self._states[str(stream)] = round_trip(state)

    def _replayed(self, stream: AnyStream) -> State:
        state: State = stream.aggregate.initial
        for event in self._histories.get(str(stream), ()):
            for current in upcast(stream.aggregate, event):
                state = self.evolve(stream.aggregate, state, current)
        return state

    def _recorded(self, stream: AnyStream, request: Request) -> Recorded:
        command_id = f"command-{self.commands}"
        return Recorded(
            category=stream.aggregate.category,
            id=stream.id,
            version=self.version(stream),
            time=self.now,
            occurred_at=request.occurred_at or self.now,
            position=Position(JOURNAL, 0, len(self.journal), 0),
            command_id=command_id,
            actor=request.actor,
            tenant=request.tenant,
            correlation_id=command_id,
        )


def must_be_complete(aggregate: AnyAggregate) -> None:
    """Raise DomainError with all that the aggregate lacks."""
    problems = aggregate.problems()
    if problems:
        raise DomainError(f"aggregate {aggregate.category!r} has {len(problems)} problem(s):\n{listed(problems)}")

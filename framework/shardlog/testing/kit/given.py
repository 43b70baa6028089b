"""Given this past, when this command comes, then this happens: a domain's tests in its own words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Generic

import msgspec
from typing_extensions import TypeVar

from shardlog.model.aggregate import Aggregate
from shardlog.model.messages import Command, Event, State
from shardlog.model.names import closest
from shardlog.model.stream import Stream
from shardlog.testing.kit.executing import Decided, execute
from shardlog.testing.kit.round_trip import erased
from shardlog.testing.kit.world import Request, World

__tracebackhide__ = True

S = TypeVar("S", bound=State)
C = TypeVar("C", bound=Command, default=Command)
E = TypeVar("E", bound=Event, default=Event)


class History(msgspec.Struct, frozen=True):
    """Events on a stream; `on` makes it."""

    stream: Stream[Any, Any, Any]
    events: tuple[Event, ...]


def on(stream: Stream[S, C, E], *events: E) -> History:
    """These events on this stream."""
    return History(stream, events)


def given(aggregate: Aggregate[S, C, E] | Stream[S, C, E], *events: E) -> Given[S, C, E]:
    """A stream with this past. An aggregate stands for its stream `test` (`test:test` where two parts route).

    >>> from shardlog import Aggregate, Command, Event, State, replace
    >>> from shardlog.testing.kit import given
    >>> class Light(State):
    ...     on: bool = False
    >>> class Switch(Command): ...
    >>> class Switched(Event): ...
    >>> light = Aggregate("light", initial=Light())
    >>> @light.decides
    ... def switch(state: Light, command: Switch) -> Switched:
    ...     return Switched()
    >>> @light.evolves
    ... def switched(state: Light, event: Switched) -> Light:
    ...     return replace(state, on=not state.on)
    >>> _ = given(light, Switched()).when(Switch()).then(Switched()).then_state(Light(on=False))
    """
    return Given(_as_stream(aggregate), events)


def given_erased(aggregate: Aggregate[S, C, E] | Stream[S, C, E], *events: E) -> Given[S, C, E]:
    """The same, after the key of the subject was destroyed: every Personal value is erased."""
    return Given(_as_stream(aggregate), [erased(event) for event in events])


def given_old(aggregate: Aggregate[S, C, E] | Stream[S, C, E], *events: Event) -> Given[S, C, E]:
    """The same with events of old versions, as an old journal holds them."""
    return Given(_as_stream(aggregate), events)


class Given(Generic[S, C, E]):
    """A past, waiting for a command."""

    def __init__(self, stream: Stream[S, C, E], events: Sequence[Event]) -> None:
        self._own = stream
        self._world = World()
        self._world.record_past(stream, events)

    def and_given(self, *histories: History) -> Given[S, C, E]:
        """The past of other streams, for transactions."""
        for history in histories:
            self._world.record_past(history.stream, history.events)
        return self

    def when(
        self,
        command: C,
        *,
        actor: str = "",
        tenant: str = "",
        occurred_at: datetime | None = None,
        expected_version: int | None = None,
        after: timedelta = timedelta(),
    ) -> Then[S, C, E]:
        """Decide a command. after: how much later. The rest comes with the command, as over HTTP."""
        request = Request(actor, tenant, occurred_at, expected_version)
        return _when(self._world, self._own, command, request, after)

    def then_state(self, state: S) -> Given[S, C, E]:
        """The past gives this state."""
        _must_be_state(self._world, self._own, state)
        return self


class Then(Generic[S, C, E]):
    """What came of a command. Each `then` checks, raises AssertionError where it is not so, and gives itself back."""

    def __init__(self, world: World, own: Stream[S, C, E], decided: Decided) -> None:
        self._world = world
        self._own = own
        self._decided = decided

    def then(self, *events: E) -> Then[S, C, E]:
        """These events, in this order, on the addressed stream, and none on any other."""
        return self.then_exactly(on(self._own, *events))

    def then_like(self, *events: E, but: Sequence[str]) -> Then[S, C, E]:
        """The same, whatever the fields named in `but` hold (drawn ids)."""
        actual = self._accepted().get(str(self._own), ())
        masked = [_mask(event, seen, but) for event, seen in zip(events, actual, strict=False)]
        return self.then_exactly(History(self._own, (*masked, *events[len(actual) :])))

    def then_nothing(self) -> Then[S, C, E]:
        """Accepted, and nothing happened."""
        return self.then_exactly()

    def then_exactly(self, *histories: History) -> Then[S, C, E]:
        """These events on these streams, and none on any other: for transactions."""
        actual = {name: list(events) for name, events in self._accepted().items()}
        expected = {str(history.stream): list(history.events) for history in histories if history.events}
        assert actual == expected, f"\n  expected {expected}\n  got      {actual}"
        return self

    def then_rejected(self, code: str, message: str | None = None) -> Then[S, C, E]:
        """Refused with this code, the message holding this text, and nothing happened."""
        rejection = self._decided.rejection
        if rejection is None:
            happened = dict(self._decided.events) or "no events"
            raise AssertionError(f"expected rejection {code!r}, but the command was accepted with {happened}")
        if rejection.code != code:
            raise AssertionError(f"expected rejection {code!r}, got {rejection}{closest(rejection.code, [code])}")
        if message is not None:
            assert message in rejection.message, f"expected {message!r} in {rejection.message!r}"
        return self

    def then_state(self, state: S) -> Then[S, C, E]:
        """The addressed stream is in this state."""
        _must_be_state(self._world, self._own, state)
        return self

    def when(
        self,
        command: C,
        *,
        actor: str = "",
        tenant: str = "",
        occurred_at: datetime | None = None,
        expected_version: int | None = None,
        after: timedelta = timedelta(),
    ) -> Then[S, C, E]:
        """One more command, as `Given.when`."""
        request = Request(actor, tenant, occurred_at, expected_version)
        return _when(self._world, self._own, command, request, after)

    def _accepted(self) -> dict[str, Sequence[Event]]:
        if self._decided.rejection is not None:
            raise AssertionError(f"expected events, but the command was rejected: {self._decided.rejection}")
        return dict(self._decided.events)


def _when(world: World, stream: Stream[S, C, E], command: C, request: Request, after: timedelta) -> Then[S, C, E]:
    world.now += after
    return Then(world, stream, execute(world, stream, command, request))


def _must_be_state(world: World, stream: Stream[S, C, E], state: S) -> None:
    actual = world.state(stream)
    assert actual == state, f"\n  expected {state}\n  got      {actual}"


def _mask(expected: Event, actual: Event, fields: Sequence[str]) -> Event:
    if type(expected) is not type(actual):
        return expected
    drawn = {name: getattr(actual, name) for name in fields if name in expected.__struct_fields__}
    return msgspec.structs.replace(expected, **drawn)


def _as_stream(aggregate: Aggregate[S, C, E] | Stream[S, C, E]) -> Stream[S, C, E]:
    if isinstance(aggregate, Stream):
        return aggregate
    return aggregate.stream(":".join(["test"] * (aggregate.routing_parts or 1)))

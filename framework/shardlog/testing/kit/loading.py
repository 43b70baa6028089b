"""The kit's transaction: streams loaded from a test's world, all or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, TypeVar, cast

from shardlog.errors import EngineRejection
from shardlog.model.context import Context
from shardlog.model.messages import Command, Event, State
from shardlog.model.stream import Stream
from shardlog.model.transaction import Loaded
from shardlog.model.upcasting import as_events
from shardlog.testing.kit.world import AnyStream, World

__tracebackhide__ = True

S = TypeVar("S", bound=State)
C = TypeVar("C", bound=Command)
E = TypeVar("E", bound=Event)


class LoadedStream(Generic[S, E]):
    """A stream inside a transaction, and what was appended to it."""

    def __init__(self, world: World, stream: Stream[S, Any, E]) -> None:
        self.id = stream.id
        self.stream = stream
        self.new: list[Event] = []
        self._state = world.state(stream)
        self._world = world

    @property
    def state(self) -> S:
        return self._state

    @property
    def version(self) -> int:
        return self._world.version(self.stream) + len(self.new)

    def append(self, events: E | Sequence[E] | None, /) -> None:
        for event in as_events(events):
            self._state = cast("S", self._world.evolve(self.stream.aggregate, self._state, event))
            self.new.append(event)


class KitTransaction:
    """What a transaction function is given in a test."""

    def __init__(self, world: World, own: AnyStream, context: Context) -> None:
        self.context = context
        self.loaded: dict[str, LoadedStream[Any, Any]] = {}
        self._world = world
        self._own = own

    @property
    def own(self) -> Loaded[Any, Any]:
        return self.load(self._own)

    def load(self, stream: Stream[S, C, E], /) -> Loaded[S, E]:
        here, there = self._own.routing_key, stream.routing_key
        if here != there:
            raise EngineRejection(
                "other_routing_key",
                f"a transaction at {self._own} (routing key {here!r}) cannot load {stream} (routing key {there!r}): "
                "give both ids the same leading parts, or use a process manager",
            )
        found = self.loaded.get(str(stream))
        if found is None:
            found = self.loaded[str(stream)] = LoadedStream(self._world, stream)
        return found

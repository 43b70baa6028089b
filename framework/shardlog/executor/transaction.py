"""A command over several streams of one routing key: the view it decides on, and what it would write."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from shardlog.errors import DomainError, EngineRejection
from shardlog.executor.addresses import check_address
from shardlog.executor.deciding import EventRecord, record_event
from shardlog.executor.decision import Decision
from shardlog.executor.registry import BUCKET_MASK, Category, Registry
from shardlog.model.context import Context
from shardlog.model.messages import Event
from shardlog.model.stream import Stream
from shardlog.model.upcasting import as_events
from shardlog.sharding import routing_key


class ShardTransaction:
    """What a transaction handler gets. `events` are in the order in which they were appended, over all streams.

    make_context: makes the context of the decision from the version of its own stream; asked for once, and only where
    the handler looks at it. A loaded stream does not point back here, so that no cycle is left for the garbage
    collector.
    """

    __slots__ = (
        "_context",
        "_key",
        "_make_context",
        "_parts",
        "_registry",
        "_same_key",
        "_version",
        "events",
        "own",
        "touched",
    )

    def __init__(
        self,
        registry: Registry,
        category: Category,
        decision: Decision,
        make_context: Callable[[Decision, int], Context],
    ) -> None:
        id = decision.record.id
        self._registry = registry
        self._parts = parts = category.routing_parts
        self._key = routing_key(id, parts)
        self._same_key: str | tuple[()] = () if parts is None else self._key + ":"  # nothing starts with ()
        self._make_context = make_context
        self._context: Context | None = None
        self.events: list[EventRecord] = []
        self.own = own = LoadedStream(category, id, decision, self.events, is_own=True)
        self._version = own.version
        self.touched: dict[tuple[str, str], LoadedStream] = {(category.name, id): own}

    @property
    def context(self) -> Context:
        """What the handler may know besides states and command."""
        if self._context is None:
            self._context = self._make_context(self.own.decision, self._version)
        return self._context

    def load(self, stream: Stream[Any, Any, Any], /) -> LoadedStream:
        """Another stream of the same routing key. Raises EngineRejection `other_routing_key` or `invalid_id`."""
        id = stream.id
        address = (stream.aggregate.category, id)
        loaded = self.touched.get(address)
        if loaded is not None:
            return loaded
        category = self._registry.categories.get(address[0])
        if category is None:
            raise DomainError(f"{stream}: aggregate {address[0]!r} belongs to no domain of this application; add it")
        loaded = LoadedStream(category, id, self.own.decision, self.events)
        if loaded.slot is None:  # what has events was checked before it got the first
            check_address(category, id)
        if category.routing_parts != self._parts or not (id.startswith(self._same_key) or id == self._key):
            self._check_key(stream, routing_key(id, category.routing_parts))
        self.touched[address] = loaded
        return loaded

    def _check_key(self, stream: Stream[Any, Any, Any], key: str) -> None:
        if key != self._key:
            raise EngineRejection(
                "other_routing_key",
                f"{stream} has the routing key {key!r}, and this command runs under {self._key!r}: "
                "use ids with the same leading parts, or a process manager",
            )


class LoadedStream:
    """A stream inside a transaction: its state and version follow what is appended.

    slot: what it was before. index: of its bucket. events: of the whole transaction.
    """

    __slots__ = (
        "_shown",
        "category",
        "decision",
        "events",
        "id",
        "index",
        "slot",
        "state",
        "version",
        "was_appended_to",
    )

    def __init__(
        self, category: Category, id: str, decision: Decision, events: list[EventRecord], is_own: bool = False
    ) -> None:
        self.category = category
        self.id = id
        self.decision = decision
        self.events = events
        self.index = index = hash(id) & BUCKET_MASK
        self.slot = slot = category.buckets[index].get(id)
        if slot is None:
            self.version, self.state = 0, category.initial
        else:
            self.version, self.state = slot.version, slot.state
        self.was_appended_to = False
        self._shown = decision.shown if is_own else None

    def append(self, events: Event | Sequence[Event] | None, /) -> None:
        """Append events; this transaction sees them at once, and nobody else before it ends."""
        category, given = self.category, cast("Any", events)
        for event in (given,) if type(given) in category.events else as_events(given):
            version = self.version + 1
            written, event, type_, self.state = record_event(category, self.id, version, self.state, event)
            self.version = version
            self.was_appended_to = True
            self.events.append(written)
            if self._shown is not None:
                self._shown.append(event)
            if type_.managers:
                self.decision.note(category.name, self.id, version, event, type_)

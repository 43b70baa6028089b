"""A command over several streams of one routing key: the view it decides on, and what it would write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shardlog.errors import DomainError, EngineRejection
from shardlog.executor.addresses import check_address
from shardlog.executor.deciding import EventRecord, record_event
from shardlog.executor.decision import Decision
from shardlog.executor.registry import Category, Registry
from shardlog.model.context import Context
from shardlog.model.messages import Event, State
from shardlog.model.stream import Stream
from shardlog.model.upcasting import as_events
from shardlog.sharding import routing_key


class ShardTransaction:
    """What a transaction handler gets. `events` are in the order in which they were appended, over all streams."""

    __slots__ = ("_key", "_registry", "context", "decision", "events", "own", "touched")

    def __init__(self, registry: Registry, category: Category, id: str, context: Context, decision: Decision) -> None:
        self._registry = registry
        self._key = routing_key(id, category.routing_parts)
        self.context = context
        self.decision = decision
        self.events: list[EventRecord] = []
        self.own = LoadedStream(self, category, id)
        self.touched: dict[tuple[str, str], LoadedStream] = {(category.name, id): self.own}

    def load(self, stream: Stream[Any, Any, Any], /) -> LoadedStream:
        """Another stream of the same routing key. Raises EngineRejection `other_routing_key` or `invalid_id`."""
        name = stream.aggregate.category
        loaded = self.touched.get((name, stream.id))
        if loaded is not None:
            return loaded
        category = self._registry.categories.get(name)
        if category is None:
            raise DomainError(f"{stream}: aggregate {name!r} belongs to no domain of this application; add it to one")
        check_address(category, stream.id)
        key = routing_key(stream.id, category.routing_parts)
        if key != self._key:
            raise EngineRejection(
                "other_routing_key",
                f"{stream} has the routing key {key!r}, and this command runs under {self._key!r}: "
                "use ids with the same leading parts, or a process manager",
            )
        loaded = self.touched[(name, stream.id)] = LoadedStream(self, category, stream.id)
        return loaded


class LoadedStream:
    """A stream inside a transaction: its state and version follow what is appended."""

    __slots__ = ("_transaction", "category", "id", "state", "version", "was_appended_to")

    def __init__(self, transaction: ShardTransaction, category: Category, id: str) -> None:
        slot = category.slot(id)
        self._transaction = transaction
        self.category = category
        self.id = id
        self.state: State = category.initial if slot is None else slot.state
        self.version = 0 if slot is None else slot.version
        self.was_appended_to = False

    def append(self, events: Event | Sequence[Event] | None, /) -> None:
        """Append events; this transaction sees them at once, and nobody else before it ends."""
        transaction = self._transaction
        for event in as_events(events):
            written, event, type_, state = record_event(self.category, self.id, self.version + 1, self.state, event)
            self.version += 1
            self.state = state
            self.was_appended_to = True
            transaction.events.append(written)
            decision = transaction.decision
            if decision.shown is not None and self is transaction.own:
                decision.shown.append(event)
            if type_.managers:
                decision.note(self.category.name, self.id, self.version, event, type_)

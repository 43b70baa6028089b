"""An application as the executor wants it: handlers by (category, command), event types by class, streams in buckets.

Built once a shard: the definitions are shared, the buckets are the shard's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from zlib import crc32

import msgspec

from shardlog.codec.json import decoder
from shardlog.codec.types import is_recursive
from shardlog.executor.held import HeldStreams
from shardlog.journal.records import event_record
from shardlog.model.aggregate import Aggregate
from shardlog.model.application import Application
from shardlog.model.messages import Command, Event, State
from shardlog.model.process import ProcessManager
from shardlog.snapshots.slot import Slot

BUCKETS = 1024
BUCKET_MASK = BUCKETS - 1


class EventType(msgspec.Struct, frozen=True, gc=False):
    """One event class of one category. managers: those that listen to it. tag: `category/name/schema version`.

    nesting_max: levels that a value of it may have, where its type alone sets no bound.
    """

    tag: str
    decode: Callable[[bytes], Event]
    evolve: Callable[[Any, Any], State]
    managers: tuple[tuple[ProcessManager, Callable[..., Any]], ...]
    nesting_max: int | None


class Category(msgspec.Struct, eq=False):
    """One aggregate and the streams of this shard that belong to it.

    held: what a snapshot that is being written has still to read; a write notes there what it overwrites.
    """

    name: str
    aggregate: Aggregate[Any, Any, Any]
    initial: State
    state_type: type[State]
    routing_parts: int | None
    events: dict[type[Event], EventType]
    buckets: list[dict[str, Slot]]
    held: HeldStreams

    def slot(self, id: str) -> Slot | None:
        """The stream, or None where it has no events."""
        return self.buckets[hash(id) & BUCKET_MASK].get(id)

    def hold(self) -> HeldStreams:
        """All streams as they are now, for a snapshot; writes note what they overwrite from here on."""
        self.held = HeldStreams(self.buckets)
        return self.held

    def leave_held(self) -> None:
        """Writes are to note nothing any more, though a snapshot is still read: it keeps the buckets that it holds."""
        for index in range(BUCKETS):
            if self.held.marks[index]:
                self.buckets[index] = self.buckets[index].copy()
        self.drop_held()

    def drop_held(self) -> None:
        """Nothing reads what was held, any more or at all."""
        self.held = HeldStreams(self.buckets, is_held=False)

    def put_back(self, id: str, slot: Slot | None) -> None:
        """A stream is to be what it was before a write, which noted what it overwrote. None: it had no events."""
        bucket = self.buckets[hash(id) & BUCKET_MASK]
        if slot is None:
            del bucket[id]
        else:
            bucket[id] = slot


class Handler(msgspec.Struct, frozen=True, eq=False):
    """What decides one command.

    command: its class. wants_context: a third argument. returns_nothing: None is an answer it declares. is_recursive:
    the command's type sets no bound to its nesting. check: CRC-32 of the command's name and a zero byte, which the
    payload's check goes on from.
    """

    category: Category
    command: type[Command]
    decode: Callable[[msgspec.Raw], Command]
    decide: Callable[..., Any]
    wants_context: bool
    returns_nothing: bool
    is_transaction: bool
    is_recursive: bool
    check: int


class Registry:
    """All that one shard knows of an application."""

    def __init__(self, application: Application, nesting_max: int) -> None:
        self.categories: dict[str, Category] = {}
        self.handlers: dict[tuple[str, str], Handler] = {}
        self.managers = application.process_managers
        for aggregate in application.aggregates.values():
            category = _category(aggregate, application.process_managers, nesting_max)
            self.categories[category.name] = category
            self.handlers |= {(category.name, name): h for name, h in _handlers(category).items()}

    def streams(self) -> int:
        """How many streams have events."""
        return sum(len(bucket) for category in self.categories.values() for bucket in category.buckets)


def event_records(aggregate: Aggregate[Any, Any, Any]) -> Mapping[type[Event], type[msgspec.Struct]]:
    """The record type of each event class that the aggregate reads, old versions among them."""
    return {
        event: event_record(aggregate.category, name, version, event)
        for (name, version), event in aggregate.events_by_name.items()
    }


def _category(
    aggregate: Aggregate[Any, Any, Any], managers: Mapping[str, ProcessManager], nesting_max: int
) -> Category:
    events = {
        event: EventType(
            tag=f"{aggregate.category}/{event.__wire_name__}/{event.__schema_version__}",
            decode=decoder(event).decode,
            evolve=evolve,
            managers=tuple((m, m.handlers[event]) for m in managers.values() if event in m.handlers),
            nesting_max=nesting_max if is_recursive(event) else None,
        )
        for event, evolve in aggregate.evolutions.items()
    }
    buckets: list[dict[str, Slot]] = [{} for _ in range(BUCKETS)]
    return Category(
        name=aggregate.category,
        aggregate=aggregate,
        initial=aggregate.initial,
        state_type=type(aggregate.initial),
        routing_parts=aggregate.routing_parts,
        events=events,
        buckets=buckets,
        held=HeldStreams(buckets, is_held=False),
    )


def _handlers(category: Category) -> dict[str, Handler]:
    aggregate = category.aggregate
    found: dict[str, Handler] = {}
    for name, command in aggregate.commands_by_name.items():
        decision = aggregate.decisions.get(command)
        found[name] = Handler(
            category=category,
            command=command,
            decode=decoder(command).decode,
            decide=aggregate.transactions[command] if decision is None else decision.function,
            wants_context=decision is None or decision.wants_context,
            returns_nothing=decision is None or None in decision.returns,
            is_transaction=decision is None,
            is_recursive=is_recursive(command),
            check=crc32(name.encode() + b"\0"),
        )
    return found

"""Replay: the state that a shard's valid frames lead to. It runs evolve and nothing else of the domain's code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from shardlog.codec.json import NOT_DECODED
from shardlog.errors import ReplayFailed
from shardlog.executor.registry import BUCKET_MASK, Category, event_records
from shardlog.executor.state import ShardState
from shardlog.executor.window import COUNTED_CHANNEL, TIMED_CHANNELS, window_key
from shardlog.ids import time_in_id
from shardlog.journal.records import Accepted, Forwarded, FrameBody, Rejected, frame_decoder
from shardlog.journal.undecoded import undecoded
from shardlog.model.messages import Event, State
from shardlog.model.upcasting import upcast
from shardlog.ports.sends import At
from shardlog.snapshots.slot import Slot


class EventReplay(msgspec.Struct, frozen=True, gc=False, eq=False):
    """How one event class, of any version, changes a stream of its category."""

    category: Category
    buckets: list[dict[str, Slot]]
    initial: State
    state_type: type[State]
    evolve: Callable[[Any, Any], State]


class Replay:
    """Applies frames to a state, in order."""

    def __init__(self, state: ShardState, journal: str, shard: int) -> None:
        self._state = state
        self._shard = shard
        self._types: dict[type[Any], EventReplay] = {}
        for category in state.registry.categories.values():
            for event, record in event_records(category.aggregate).items():
                known = category.events.get(event)
                evolve = _upcasting_evolve(category) if known is None else known.evolve
                self._types[record] = EventReplay(
                    category, category.buckets, category.initial, category.state_type, evolve
                )
        self.decode: Callable[[bytes | memoryview], FrameBody[Any]] = frame_decoder(tuple(self._types))

    def apply(self, offset: int, body: bytes | memoryview, epoch: int, seq: int) -> None:
        """Apply one valid frame.

        Raises UnknownFormat for a body that does not decode (rule R4), ReplayFailed where evolve raises or a version
        is not the next one.
        """
        try:
            frame = self.decode(body)
        except NOT_DECODED as error:
            raise undecoded(self._shard, offset, body, self._types, error) from error
        state = self._state
        state.time = frame.time
        state.inputs.update(frame.inputs)
        index = number = 0
        for entry in frame.entries:
            if isinstance(entry, Accepted):
                events = entry.events
                self._evolve(offset, events)
                if entry.channel in _WINDOWED or entry.origin is not None or entry.sends:
                    number = self._beside(entry, offset, index, (epoch, seq), number)
                index += len(events) or 1
                continue
            if isinstance(entry, Rejected):
                number = self._beside(entry, offset, index, (epoch, seq), number)
            elif isinstance(entry, Forwarded):
                state.sent[entry.shard] = (epoch, seq, number)
                number += 1
            index += 1
        state.requests.frame_ended(frame.time)
        state.counted.frame_ended()

    def category_of(self, record: Any) -> Category:
        """The category of an event's record."""
        return self._types[type(record)].category

    def _evolve(self, offset: int, records: list[Any]) -> None:
        """Apply the events of one entry."""
        types = self._types
        for record in records:
            kind = types[type(record)]
            id = record.id
            bucket = kind.buckets[hash(id) & BUCKET_MASK]
            slot = bucket.get(id)
            if slot is None:
                version, state = 1, kind.initial
            else:
                version, state = slot.version + 1, slot.state
            if version != record.version:
                why = f"the stream stands at version {version - 1}, and this event is number {record.version}"
                raise self._failed(offset, kind, record, why)
            try:
                state = kind.evolve(state, record.data)
            except Exception as error:
                why = f"evolve of {type(record.data).__name__} raised {type(error).__name__}: {error}"
                raise self._failed(offset, kind, record, why) from error
            if type(state) is not kind.state_type:
                why = f"evolve of {type(record.data).__name__} returned {type(state).__name__}"
                raise self._failed(offset, kind, record, why)
            bucket[id] = Slot(version, state)

    def _failed(self, offset: int, kind: EventReplay, record: Any, why: str) -> ReplayFailed:
        return ReplayFailed(self._shard, offset, f"{kind.category.name}/{record.id}", record.version, why)

    def _beside(self, entry: Any, offset: int, index: int, place: tuple[int, int], number: int) -> int:
        """Sends, the last send taken, the windows. Returns the number of the next send."""
        state = self._state
        for send in entry.sends:
            state.sent[send.shard] = (*place, number)
            number += 1
        if entry.origin is not None:
            state.received[entry.origin.shard] = _at(entry.origin)
        elif entry.channel in TIMED_CHANNELS:
            key = window_key(entry.tenant, entry.category, entry.id, entry.command_id)
            time = max(state.time, time_in_id(entry.command_id) or 0)
            state.requests.add(key, offset, index, entry.check, time)
        elif entry.channel == COUNTED_CHANNEL:
            key = window_key(entry.tenant, entry.category, entry.id, entry.command_id)
            state.counted.add(key, offset, index, entry.check)
        return number


_WINDOWED = TIMED_CHANNELS | {COUNTED_CHANNEL}


def _at(origin: Any) -> At:
    return (origin.epoch, origin.seq, origin.number)


def _upcasting_evolve(category: Category) -> Callable[[State, Event], State]:
    """Evolve for an old version: on each of the events that upcasting makes of it."""

    def evolve(state: State, old: Event) -> State:
        for event in upcast(category.aggregate, old):
            state = category.events[type(event)].evolve(state, event)
        return state

    return evolve

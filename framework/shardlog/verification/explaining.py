"""Why a replayed state is not what a snapshot holds: which streams differ, and with which event that can begin.

A snapshot has states after an event each, not between them. So of a stream that differs it is known before and after
which versions that happened; within them, an event type counts as suspect where streams that differ have it and streams
that agree have not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from shardlog.codec.json import encode_sorted
from shardlog.inspection.records import decoded_frame
from shardlog.journal.reader import FrameTaken, Reader
from shardlog.journal.records import Accepted, RawEvent
from shardlog.ports.journal import Journal
from shardlog.snapshots.reading import Snapshot
from shardlog.verification.replaying import ShardReplay

EXAMPLES_MAX = 5
TRACED_MAX = 10_000
"""So many of the streams that differ are looked at event by event."""
Name = tuple[str, str]


class EventPlace(msgspec.Struct, frozen=True):
    """An event in its stream. type: `category/name/schema version`. offset: of its frame."""

    version: int
    type: str
    offset: int


class StreamDiffers(msgspec.Struct, frozen=True, kw_only=True):
    """A stream whose state is another. there, here: the states as JSON, empty where the stream is missing.

    after: the version up to which it is not in doubt. first: the first event that can have made the difference.
    is_exact: whether it did, and not merely can.
    """

    category: str
    id: str
    there: str
    here: str
    after: int
    first: EventPlace | None
    is_exact: bool


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """How many streams differ, and some of them, those with the fewest events in doubt first."""

    streams: int
    examples: tuple[StreamDiffers, ...]


def explain(replay: ShardReplay, snapshot: Snapshot, journal: Journal, start: Snapshot | None) -> Explained:
    """Compare a state that was replayed to where a snapshot stands with what it holds.

    start: the snapshot that the replay began with. Raises SnapshotUnusable, and what stops a reader.
    """
    states = dict(_differing(replay, snapshot))
    events = _Events(states)
    events.read(journal, replay, start)
    chosen = sorted(events.in_doubt, key=lambda name: (len(events.in_doubt[name]), name))[:EXAMPLES_MAX]
    examples = tuple(_example(name, states[name], events) for name in chosen)
    return Explained(streams=len(states), examples=examples)


class _States(NamedTuple):
    there: str
    here: str


def _differing(replay: ShardReplay, snapshot: Snapshot) -> Iterator[tuple[Name, _States]]:
    missing = set(replay.stream_names())
    for stored in snapshot.streams():
        name = (stored.category, stored.id)
        missing.discard(name)
        slot = replay.slot(*name)
        there = encode_sorted((stored.version, stored.state))
        here = b"" if slot is None else encode_sorted((slot.version, slot.state))
        if there != here:
            yield name, _States(there.decode(), here.decode())
    for name in sorted(missing):
        slot = replay.slot(*name)
        assert slot is not None
        yield name, _States("", encode_sorted((slot.version, slot.state)).decode())


class _Events:
    """What happened between the start and the snapshot, to streams that differ and to those that agree."""

    def __init__(self, differing: Iterable[Name]) -> None:
        self._differing = frozenset(differing)
        self.in_doubt: dict[Name, list[EventPlace]] = {}
        self._agreeing: Counter[str] = Counter()
        for name in sorted(self._differing)[:TRACED_MAX]:
            self.in_doubt[name] = []

    def read(self, journal: Journal, replay: ShardReplay, start: Snapshot | None) -> None:
        shard = replay.shard
        reader = Reader(*shard) if start is None else Reader.from_state(start.manifest.about.reader)
        for offset, value in journal.read(shard.number, reader.position):
            if offset >= replay.reader.position:
                return
            verdict = reader.pass_over(offset, value)
            if isinstance(verdict, FrameTaken):
                for entry in decoded_frame(shard.number, offset, verdict.body).entries:
                    for event in entry.events if isinstance(entry, Accepted) else ():
                        self._take(offset, event)

    def _take(self, offset: int, event: RawEvent) -> None:
        name = (event.type.partition("/")[0], event.id)
        if name not in self._differing:
            self._agreeing[event.type] += 1
        elif name in self.in_doubt:
            self.in_doubt[name].append(EventPlace(event.version, event.type, offset))

    def first(self, name: Name) -> EventPlace | None:
        """The first of its events that is of a suspect type; the first of all where no type is."""
        places = self.in_doubt[name]
        suspects = [place for place in places if not self._agreeing[place.type]]
        return next(iter(suspects or places), None)


def _example(name: Name, states: _States, events: _Events) -> StreamDiffers:
    places: list[EventPlace] = events.in_doubt[name]
    return StreamDiffers(
        category=name[0],
        id=name[1],
        there=states.there,
        here=states.here,
        after=places[0].version - 1 if places else 0,
        first=events.first(name),
        is_exact=len(places) == 1,
    )


def first_difference(one: Iterable[Mapping[str, Any]], other: Iterable[Mapping[str, Any]]) -> EventPlace | None:
    """The first event behind which two traces of one stream are of different states; None where they agree."""
    for mine, theirs in zip(one, other, strict=False):
        if mine["digest"] != theirs["digest"]:
            return EventPlace(mine["version"], mine["type"], mine["offset"])
    return None

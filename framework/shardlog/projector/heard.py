"""From a frame's bytes to what projections hear of it: events and business rejections, each with its record.

What no projection hears is not decoded: its bytes are stepped over, and nothing is built for it.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import msgspec

from shardlog.codec.json import NOT_DECODED
from shardlog.errors import ENGINE_CODES
from shardlog.journal.records import Accepted, FrameBody, Rejected, event_record, frame_decoder
from shardlog.journal.undecoded import undecoded
from shardlog.model.aggregate import Aggregate
from shardlog.model.application import Application
from shardlog.model.messages import Event, Recorded, RecordedRejection
from shardlog.model.projection import Projection
from shardlog.model.recorded import Position

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class OldEvent(NamedTuple):
    """An event of an old version, as it stands in the journal; upcasting it is part of handling it."""

    event: Event
    aggregate: Aggregate[Any, Any, Any]


Heard: TypeAlias = tuple[type[Any], Any, Recorded]
"""What a handler is found by (an event's class, OldEvent or RecordedRejection), that thing, and its record."""


class _HeardEvent(NamedTuple):
    """An event type that somebody hears. old: the aggregate whose upcasters it goes through, None for a current one."""

    category: str
    event_type: type[Event]
    old: Aggregate[Any, Any, Any] | None


class _Place(NamedTuple):
    """Where a frame stands, and its time."""

    shard: int
    offset: int
    time: datetime


class FrameReader:
    """Decodes frames for a set of projections at once, or for whoever else hears some events.

    events: heard beside those of the projections. categories: those whose events are heard; None: all.
    """

    def __init__(
        self,
        application: Application,
        projections: Iterable[Projection],
        journal: str,
        *,
        events: Iterable[type[Event]] = (),
        categories: Container[str] | None = None,
    ) -> None:
        self._journal = journal
        projections = tuple(projections)
        wanted = frozenset(event for projection in projections for event in projection.heard_events).union(events)
        self._rejections = frozenset(c for p in projections for c in application.categories_heard(p))
        self._events: dict[type[Any], _HeardEvent] = {}
        records: list[type[Any]] = []
        for aggregate in application.aggregates.values():
            is_among = categories is None or aggregate.category in categories
            any_wanted = is_among and any(event in wanted for event in aggregate.evolutions)
            for (name, version), event in aggregate.events_by_name.items():
                is_old = event in aggregate.upcasters
                is_heard = any_wanted if is_old else is_among and event in wanted
                record = event_record(aggregate.category, name, version, event if is_heard else msgspec.Raw)
                records.append(record)
                if is_heard:
                    self._events[record] = _HeardEvent(aggregate.category, event, aggregate if is_old else None)
        self._records = tuple(records)
        self._decode: Callable[[bytes | memoryview], FrameBody[Any]] = frame_decoder(self._records)

    def read(self, shard: int, offset: int, body: bytes | memoryview) -> list[Heard]:
        """What is heard of one valid frame, in order. Raises UnknownFormat where it does not decode (rule R4)."""
        try:
            frame = self._decode(body)
        except NOT_DECODED as error:
            raise undecoded(shard, offset, body, self._records, error) from error
        place = _Place(shard, offset, _time(frame.time))
        heard: list[Heard] = []
        index = 0
        for entry in frame.entries:
            if isinstance(entry, Accepted):
                if entry.events:
                    self._hear_events(heard, entry, place, index)
                    index += len(entry.events)
                else:
                    index += 1
            else:
                if isinstance(entry, Rejected) and entry.category in self._rejections:
                    self._hear_rejection(heard, entry, place, index)
                index += 1
        return heard

    def _hear_events(self, heard: list[Heard], entry: Accepted[Any], place: _Place, index: int) -> None:
        known_events = self._events
        shard, offset, time = place
        occurred_at = None
        for record in entry.events:
            known = known_events.get(type(record))
            if known is not None:
                if occurred_at is None:
                    occurred_at = time if entry.occurred_at is None else _time(entry.occurred_at)
                category, event_type, old = known
                recorded = Recorded(
                    category=category,
                    id=record.id,
                    version=record.version,
                    time=time,
                    occurred_at=occurred_at,
                    position=Position(self._journal, shard, offset, index),
                    command_id=entry.command_id,
                    actor=entry.actor,
                    tenant=entry.tenant,
                    correlation_id=entry.correlation or entry.command_id,
                    causation_id=entry.causation,
                )
                if old is None:
                    heard.append((event_type, record.data, recorded))
                else:
                    heard.append((OldEvent, OldEvent(record.data, old), recorded))
            index += 1

    def _hear_rejection(self, heard: list[Heard], entry: Rejected, place: _Place, index: int) -> None:
        if entry.code in ENGINE_CODES:
            return
        shard, offset, time = place
        recorded = Recorded(
            category=entry.category,
            id=entry.id,
            version=0,
            time=time,
            occurred_at=time if entry.occurred_at is None else _time(entry.occurred_at),
            position=Position(self._journal, shard, offset, index),
            command_id=entry.command_id,
            actor=entry.actor,
            tenant=entry.tenant,
            correlation_id=entry.correlation or entry.command_id,
            causation_id=entry.causation,
        )
        rejection = RecordedRejection(
            category=entry.category, id=entry.id, command=entry.command, code=entry.code, message=entry.message
        )
        heard.append((RecordedRejection, rejection, recorded))


def event_tag(category: str, event: type[Event]) -> str:
    """`category/name/schema version`, as in the journal."""
    return f"{category}/{event.__wire_name__}/{event.__schema_version__}"


def events_by_tag(application: Application) -> Mapping[str, tuple[type[Event], Aggregate[Any, Any, Any]]]:
    """Every event class that the application reads, old versions among them."""
    return {
        f"{aggregate.category}/{name}/{version}": (event, aggregate)
        for aggregate in application.aggregates.values()
        for (name, version), event in aggregate.events_by_name.items()
    }


@lru_cache(maxsize=4096)
def _time(microseconds: int) -> datetime:
    """Kept for a while: what happens at once, or is dated by the minute, comes often."""
    seconds, rest = divmod(microseconds, 1_000_000)
    return _EPOCH + timedelta(0, seconds, rest)

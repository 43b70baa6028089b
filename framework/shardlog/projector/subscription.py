"""Events read on and on for a consumer that keeps nothing here: from a place in each shard, and as many as fit a batch.

Nothing is read ahead: the next batch is read when it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, NamedTuple, TypeAlias

import msgspec

from shardlog.errors import Diverged, DomainError, JournalError, JournalUnavailable, ShardlogError
from shardlog.journal.reader import FrameTaken, Reader, check_reach
from shardlog.model.messages import Event, Recorded
from shardlog.model.recorded import Position
from shardlog.model.upcasting import upcast
from shardlog.ports.journal import Journal
from shardlog.projector.core import Record, Source
from shardlog.projector.feed import Feed
from shardlog.projector.heard import FrameReader, Heard, OldEvent
from shardlog.ranges import check_ranges

Happened: TypeAlias = tuple[Any, Recorded]
"""An event, and its record."""


class SubscriptionLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of a subscription. Raises ConfigurationError for one out of its range."""

    batch_frames_max: Annotated[int, msgspec.Meta(ge=1)] = 64
    """Records that are read at once, over all shards; each shard that is behind has at least one."""
    batch_bytes_max: Annotated[int, msgspec.Meta(ge=1)] = 8 * 1024 * 1024
    """Bytes of these records; a single one may be larger. They, and their events, are in memory at once."""
    idle_ms: Annotated[int, msgspec.Meta(ge=1)] = 50
    """How long to wait where there is nothing new."""
    unavailable_ms: Annotated[int, msgspec.Meta(ge=0)] = 60_000
    """How long brokers may be silent before JournalUnavailable is raised."""

    def __post_init__(self) -> None:
        check_ranges(self, "subscription")


class Start(NamedTuple):
    """Where to begin in a shard: a reader at or before `offset`; what stands below (offset, from_index) is passed."""

    reader: Reader
    offset: int
    from_index: int


class Subscription:
    """Reads one journal. It has no thread: call `step` from one at a time.

    frames: decodes what is wanted. wanted: the event classes; those of old versions are upcast first. starts: by shard.
    """

    def __init__(
        self,
        journal: Journal,
        source: Source,
        frames: FrameReader,
        wanted: Iterable[type[Event]],
        starts: Mapping[int, Start],
        limits: SubscriptionLimits,
    ) -> None:
        self._journal = journal
        self._source = source
        self._frames = frames
        self._wanted = frozenset(wanted)
        self._starts = starts
        self._limits = limits
        self._feeds = [Feed(journal, shard) for shard in range(source.shards)]
        self._error: ShardlogError | None = None

    def step(self) -> list[Happened] | None:
        """What comes next, each shard's in order; perhaps nothing of interest. None where there is nothing new.

        Raises what stops every reader of a journal (Diverged, UnknownFormat, Corrupt, Truncated), behind the events
        before it; JournalUnavailable, which may pass; and DomainError where an upcaster raises.
        """
        if self._error is not None:
            raise self._error
        records = self._records()
        if not records:
            return None
        happened: list[Happened] = []
        for record in records:
            try:
                happened += self._happened(record)
            except ShardlogError as error:
                if not happened:
                    raise
                self._error = error
                break
        return happened

    def _happened(self, record: Record) -> list[Happened]:
        shard, offset, value = record
        reader, first, from_index = self._starts[shard]
        verdict = reader.pass_over(offset, value)
        if type(verdict) is not FrameTaken or offset < first:
            return []
        heard = self._frames.read(shard, offset, verdict.body)
        if offset == first:
            heard = [item for item in heard if _index(item) >= from_index]
        return [found for item in heard for found in self._current(item)]

    def _current(self, item: Heard) -> Sequence[Happened]:
        kind, event, recorded = item
        if kind is not OldEvent:
            return ((event, recorded),)
        try:
            newest = upcast(event.aggregate, event.event)
        except Exception as error:
            token = recorded.position.token if recorded.position else ""
            raise DomainError(
                f"{recorded.category}/{recorded.id} version {recorded.version} at {token}: an upcaster raised "
                f"{type(error).__name__}: {error}. Repair it: nothing was skipped"
            ) from error
        return [(event, recorded) for event in newest if type(event) in self._wanted]

    def _records(self) -> list[Record]:
        """What follows in each shard, as much as one batch takes; what a shard leaves of its share, others get."""
        behind: list[tuple[int, int]] = []
        for shard, start in self._starts.items():
            end = self._journal.offsets(shard)[1]
            check_reach(start.reader.state, end, "this subscription")
            if start.reader.position < end:
                behind.append((shard, end))
        frames_left, bytes_left = self._limits.batch_frames_max, self._limits.batch_bytes_max
        records: list[Record] = []
        for count, (shard, end) in enumerate(behind):
            shards_left = len(behind) - count
            share = (max(1, frames_left // shards_left), bytes_left // shards_left)
            try:
                found = self._feeds[shard].read(self._starts[shard].reader.position, end, *share)
            except JournalUnavailable:
                raise
            except JournalError as error:
                if not records:
                    raise
                self._error = error
                break
            records += found
            frames_left -= len(found)
            bytes_left -= sum(len(record.value) for record in found)
        return records


def begins_after(source: Source, tokens: Iterable[Position], ends: Mapping[int, int]) -> dict[int, tuple[int, int]]:
    """By shard, offset and index behind the furthest token. Raises Diverged for what this journal cannot have given."""
    behind: dict[int, tuple[int, int]] = {}
    for position in tokens:
        shard, offset = position.shard, position.offset
        if position.journal != source.journal:
            why = f"token {position.token} is of another journal, and this is {source.journal}: begin anew"
            raise Diverged(shard, offset, why)
        if shard >= source.shards:
            why = f"token {position.token} is of shard {shard}, and there are {source.shards} shards: begin anew"
            raise Diverged(shard, offset, why)
        if offset >= ends[shard]:
            why = (
                f"token {position.token} was given out, and the log ends at {ends[shard]}: it has lost records. "
                "Restore the journal from a replica or a backup, or, where they are gone for good, begin anew"
            )
            raise Diverged(shard, offset, why)
        behind[shard] = max(behind.get(shard, (0, 0)), (offset, position.index + 1))
    return behind


def _index(item: Heard) -> int:
    position = item[2].position
    return 0 if position is None else position.index

"""Batches: what follows the checkpoints of some workers, read and decoded once, and written by each of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import NamedTuple, TypeAlias

from shardlog.errors import JournalError, JournalUnavailable, Truncated, UnknownFormat
from shardlog.model.application import Application
from shardlog.ports.checkpoints import Checkpoint
from shardlog.ports.journal import Journal
from shardlog.projector.core import Passed, Record, Source, before, check, cut_off, next_offset, pass_over
from shardlog.projector.cut import Cut, CutReader
from shardlog.projector.drafted import Drafted
from shardlog.projector.feed import Feed
from shardlog.projector.heard import FrameReader
from shardlog.projector.settling import Settling
from shardlog.projector.shared_frames import SharedFrames
from shardlog.projector.worker import Limits, Worker

GoesOn: TypeAlias = Callable[[], bool]


def always() -> bool:
    """Of a turn that nobody ends before its time."""
    return True


def never() -> bool:
    """Of a turn of one batch."""
    return False


class _DraftedBatch(NamedTuple):
    """A batch as it was read, and what each worker has made of it."""

    records: Sequence[Record]
    passed: Passed
    drafted: Sequence[Drafted]


class Batches:
    """Reads one journal for workers whose positions are near each other. shared, cut: as of Projector.

    writes_beside: a batch is written by a thread of its own while the next one is heard.
    """

    def __init__(
        self,
        journal: Journal,
        source: Source,
        application: Application,
        limits: Limits,
        shared: SharedFrames | None,
        cut: Cut | None,
        *,
        writes_beside: bool,
    ) -> None:
        self._source = source
        self._application = application
        self._limits = limits
        self._turn_s = limits.turn_ms / 1000 if writes_beside else 0.0
        bytes_max = limits.batch_bytes_max
        self._bytes_max = min(bytes_max, limits.ahead_bytes_max) if self._turn_s else bytes_max
        self._feeds = [Feed(journal, shard) for shard in range(source.shards)]
        self._shared = shared
        self._cut = cut
        self._readers: dict[tuple[str, ...], FrameReader] = {}

    def close(self, shard: int) -> None:
        """Let go of what is read ahead of a shard."""
        self._feeds[shard].close()

    def write_next(self, group: Sequence[Worker], ends: Mapping[int, int], goes_on: GoesOn = always) -> int:
        """Let workers at one position write what follows it: a batch, or for a while batch after batch.

        goes_on: whether another one may begin. Returns how many records were read.

        What is wrong with the journal stops them, and an error of one's own that worker alone. Raises
        JournalUnavailable.
        """
        began_s = monotonic()
        checkpoints = group[0].checkpoints
        try:
            check(self._source, group[0].name, checkpoints, ends)
            records = self._records(checkpoints, ends)
            passed = pass_over(self._source, checkpoints, records)
        except JournalUnavailable:
            raise  # it may pass: the next step tries again
        except JournalError as error:
            for worker in group:
                worker.stopped = cut_off(error, worker.name) if isinstance(error, Truncated) else error
            return 0
        if not records:
            return 0
        for worker in group:
            worker.ages.read(passed.frames)
        try:
            batch = self._hear(group, passed, records)
        except UnknownFormat as error:
            if len(group) > 1:  # perhaps only one of them hears what does not decode
                return sum(self.write_next([worker], ends, goes_on) for worker in group)
            return self._write_before(error, group[0], records)
        if not self._turn_s or not _can_be_followed(batch, ends):
            _write(batch)
            return len(records)
        return self._write_on(group, batch, ends, began_s + self._turn_s, goes_on)

    def _write_on(
        self, group: Sequence[Worker], batch: _DraftedBatch, ends: Mapping[int, int], until_s: float, goes_on: GoesOn
    ) -> int:
        """Write a batch while the next one is heard, and so on. Returns how many records were read."""
        read = 0
        following: _DraftedBatch | None = batch
        while following is not None:
            batch = following
            for one in batch.drafted:
                one.begin(beside=True)
            following = self._hear_ahead(group, batch, ends) if monotonic() < until_s and goes_on() else None
            read += len(batch.records)
            written = [one.end() for one in batch.drafted]
            if not all(written) or not goes_on():
                break  # what was heard since is heard again, from where they stand then
        return read

    def _hear_ahead(
        self, group: Sequence[Worker], batch: _DraftedBatch, ends: Mapping[int, int]
    ) -> _DraftedBatch | None:
        """What comes behind a batch that is not written yet, if it can be heard before that is."""
        if not _can_be_followed(batch, ends):
            return None
        try:
            records = self._records(batch.passed.checkpoints, ends)
            passed = pass_over(self._source, batch.passed.checkpoints, records)
            return self._hear(group, passed, records) if records else None
        except JournalError:
            return None  # the next step meets it first, and says what it is

    def _hear(self, group: Sequence[Worker], passed: Passed, records: Sequence[Record]) -> _DraftedBatch:
        """Let every worker hear these records. Raises UnknownFormat before any of them has written."""
        reader = self._reader(group)
        drafted = [Drafted(worker, passed, records, self._settling(worker, reader)) for worker in group]
        for frame in passed.frames:
            heard = reader.read(*frame) if self._shared is None else self._shared.read(*frame, reader)
            for one in drafted:
                one.hear(heard)
        return _DraftedBatch(records, passed, drafted)

    def _write_before(self, stop: UnknownFormat, worker: Worker, records: Sequence[Record]) -> int:
        """Write what stands before a frame that does not decode, and stop there (rule R4). Returns how many records."""
        records = before(stop, records)
        try:
            if records:
                _write(self._hear([worker], pass_over(self._source, worker.checkpoints, records), records))
        except UnknownFormat as another:  # of another shard
            return self._write_before(another, worker, records)
        worker.stopped = worker.stopped or stop
        return len(records)

    def _settling(self, worker: Worker, reader: FrameReader) -> Settling:
        return Settling(worker, self._source, lambda frame: reader.read(*frame), self._limits.replans_max)

    def _reader(self, group: Sequence[Worker]) -> FrameReader:
        names = tuple(worker.name for worker in group)
        if names not in self._readers:
            projections = [worker.listener.projection for worker in group]
            of = (self._application, projections, self._source.journal)
            self._readers[names] = FrameReader(*of) if self._cut is None else CutReader(*of, self._cut)
        return self._readers[names]

    def _records(self, checkpoints: Mapping[int, Checkpoint], ends: Mapping[int, int]) -> list[Record]:
        """What follows the checkpoints, as much as one batch takes; what a shard leaves of its share, others get."""
        behind = [shard for shard, end in ends.items() if next_offset(checkpoints, shard) < end]
        frames_left, bytes_left = self._limits.batch_frames_max, self._bytes_max
        records: list[Record] = []
        for count, shard in enumerate(behind):
            shards_left = len(behind) - count
            found = self._feeds[shard].read(
                next_offset(checkpoints, shard),
                ends[shard],
                max(1, frames_left // shards_left),
                bytes_left // shards_left,
            )
            records += found
            frames_left -= len(found)
            bytes_left -= sum(len(record.value) for record in found)
        return records


def _write(batch: _DraftedBatch) -> None:
    for one in batch.drafted:
        one.begin(beside=False)
        one.end()


def _can_be_followed(batch: _DraftedBatch, ends: Mapping[int, int]) -> bool:
    is_more_there = any(next_offset(batch.passed.checkpoints, shard) < end for shard, end in ends.items())
    return is_more_there and all(one.can_be_followed for one in batch.drafted)

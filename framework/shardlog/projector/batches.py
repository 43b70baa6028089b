"""Batches: what follows the checkpoints of some workers, read and decoded once, and written by each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shardlog.errors import JournalError, JournalUnavailable, Truncated, UnknownFormat
from shardlog.model.application import Application
from shardlog.ports.checkpoints import Checkpoint
from shardlog.ports.journal import Journal
from shardlog.projector.core import Passed, Record, Source, before, check, cut_off, next_offset, pass_over
from shardlog.projector.cut import Cut, CutReader
from shardlog.projector.feed import Feed
from shardlog.projector.heard import FrameReader
from shardlog.projector.settling import Settling
from shardlog.projector.shared_frames import SharedFrames
from shardlog.projector.worker import Limits, Worker


class Batches:
    """Reads one journal for workers whose positions are near each other. shared, cut: as of Projector."""

    def __init__(
        self,
        journal: Journal,
        source: Source,
        application: Application,
        limits: Limits,
        shared: SharedFrames | None,
        cut: Cut | None,
    ) -> None:
        self._source = source
        self._application = application
        self._limits = limits
        self._feeds = [Feed(journal, shard) for shard in range(source.shards)]
        self._shared = shared
        self._cut = cut
        self._readers: dict[tuple[str, ...], FrameReader] = {}

    def close(self, shard: int) -> None:
        """Let go of what is read ahead of a shard."""
        self._feeds[shard].close()

    def write_next(self, group: Sequence[Worker], ends: Mapping[int, int]) -> int:
        """Let workers at one position write what follows it, as much as one batch takes. Returns how many records.

        What is wrong with the journal stops them, and an error of one's own that worker alone. Raises
        JournalUnavailable.
        """
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
            self._write(group, passed, records)
        except UnknownFormat as error:
            if len(group) > 1:  # perhaps only one of them hears what does not decode
                return sum(self.write_next([worker], ends) for worker in group)
            return self._write_before(error, group[0], records)
        return len(records)

    def _write(self, group: Sequence[Worker], passed: Passed, records: Sequence[Record]) -> None:
        """Let every worker write these records. Raises UnknownFormat before any of them has written."""
        reader = self._reader(group)
        drafts = [(worker, worker.draft()) for worker in group]
        for frame in passed.frames:
            heard = reader.read(*frame) if self._shared is None else self._shared.read(*frame, reader)
            for worker, draft in drafts:
                worker.hear(draft, heard)
        for worker, draft in drafts:
            settling = Settling(worker, self._source, lambda frame: reader.read(*frame), self._limits.replans_max)
            settling.write(draft, passed, records)

    def _write_before(self, stop: UnknownFormat, worker: Worker, records: Sequence[Record]) -> int:
        """Write what stands before a frame that does not decode, and stop there (rule R4). Returns how many records."""
        records = before(stop, records)
        try:
            if records:
                self._write([worker], pass_over(self._source, worker.checkpoints, records), records)
        except UnknownFormat as another:  # of another shard
            return self._write_before(another, worker, records)
        worker.stopped = worker.stopped or stop
        return len(records)

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
        frames_left, bytes_left = self._limits.batch_frames_max, self._limits.batch_bytes_max
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

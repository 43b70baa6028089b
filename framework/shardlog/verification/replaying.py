"""A shard's state, replayed to an offset from its beginning or from a snapshot, and what can be asked of it then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec

from shardlog.codec.json import encode_sorted
from shardlog.executor.limits import Limits
from shardlog.executor.replay import Replay
from shardlog.executor.restoring import restore
from shardlog.executor.state import Shard, ShardState
from shardlog.journal.reader import FrameTaken, Reader
from shardlog.model.application import Application
from shardlog.ports.journal import Journal
from shardlog.snapshots.reading import Snapshot
from shardlog.snapshots.slot import Slot
from shardlog.snapshots.state_digest import state_digest


class StreamDigest(NamedTuple):
    """One stream, for comparing: digest is blake2b-128 of its version and state."""

    category: str
    id: str
    version: int
    digest: str


class ShardReplay:
    """Replays one shard by an application, frame by frame. start: a snapshot of it, or None for the beginning.

    Raises SnapshotUnusable where the snapshot cannot be loaded.
    """

    def __init__(self, application: Application, journal: Journal, shard: Shard, start: Snapshot | None) -> None:
        self.shard = shard
        self._journal = journal
        limits = Limits()
        if start is not None:
            window_ms = start.manifest.about.dedupe_window_ms
            limits = msgspec.structs.replace(limits, dedupe_window_ms=window_ms)
        self._state = ShardState(application, limits)
        self._replay = Replay(self._state, shard.journal, shard.number)
        if start is None:
            self.reader = Reader(shard.journal, shard.number, shard.shards)
        else:
            restore(self._state, start, limits)
            self.reader = Reader.from_state(start.manifest.about.reader)

    def advance(self, offset: int) -> Iterator[int]:
        """Apply what stands below the offset; gives each offset as it is passed.

        Raises ReplayFailed, UnknownFormat and what stops a reader: Corrupt, Diverged, Truncated.
        """
        if self.reader.position >= offset:
            return
        for found, value in self._journal.read(self.shard.number, self.reader.position):
            if found >= offset:
                return
            verdict = self.reader.pass_over(found, value)
            if isinstance(verdict, FrameTaken):
                self._replay.apply(found, verdict.body, self.reader.epoch, self.reader.seq)
            yield found

    def digest(self) -> str:
        """The state digest, as snapshots have it."""
        return state_digest(self._buckets())

    def streams(self) -> list[StreamDigest]:
        """Every stream, by category and id."""
        return sorted(
            StreamDigest(category, id, slot.version, slot_digest(slot))
            for category, bucket in self._buckets()
            for id, slot in bucket.items()
        )

    def slot(self, category: str, id: str) -> Slot[Any] | None:
        """One stream; None where it has no events, or nobody knows the category."""
        known = self._state.registry.categories.get(category)
        return None if known is None else known.slot(id)

    def stream_names(self) -> Iterator[tuple[str, str]]:
        """Category and id of every stream."""
        return ((category, id) for category, bucket in self._buckets() for id in bucket)

    def _buckets(self) -> Iterator[tuple[str, Mapping[str, Slot[Any]]]]:
        for category in self._state.registry.categories.values():
            for bucket in category.buckets:
                yield category.name, bucket


def slot_digest(slot: Slot[Any]) -> str:
    """blake2b-128, in hex, of a stream's version and state."""
    return blake2b(encode_sorted((slot.version, slot.state)), digest_size=16).hexdigest()

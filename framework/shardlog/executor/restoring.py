"""A recovery's beginning: the newest snapshot that holds becomes the shard's state (rule S3)."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from shardlog.errors import ObjectStoreFailed, SnapshotUnusable
from shardlog.executor.limits import Limits
from shardlog.executor.registry import BUCKET_MASK, BUCKETS
from shardlog.executor.state import ShardState
from shardlog.executor.window import CountedWindow, RequestWindow
from shardlog.journal.reader import Reader
from shardlog.ports.journal import Journal
from shardlog.snapshots.anchor import AnchorUnseen, anchored
from shardlog.snapshots.keys import SnapshotKey
from shardlog.snapshots.reading import IdsPart, Snapshot
from shardlog.snapshots.slot import Slot
from shardlog.snapshots.store import ShardSnapshots
from shardlog.telemetry.fields import Fields

log = logging.getLogger("shardlog.snapshots")


class Restoring:
    """Finds and loads it. refused: why those that were tried were not used. taken_us: when the loaded one was taken,
    microseconds since 1970 UTC; 0 before."""

    def __init__(self, snapshots: ShardSnapshots, journal: Journal, limits: Limits) -> None:
        self.refused: list[str] = []
        self.taken_us = 0
        self._snapshots = snapshots
        self._journal = journal
        self._limits = limits

    def load(self, state: ShardState) -> tuple[SnapshotKey, Reader] | None:
        """Fill a state that holds nothing yet; returns where to read on. None: begin at offset 0."""
        try:
            for key in self._snapshots.candidates():
                reader = self._try(key, state)
                if reader is not None:
                    return key, reader
        except ObjectStoreFailed as error:
            log.error("shard %d: snapshots cannot be listed: %s", self._snapshots.shard, error, extra=self._fields())
            self.refused.append(str(error))
        return None

    def _try(self, key: SnapshotKey, state: ShardState) -> Reader | None:
        began = perf_counter()
        try:
            snapshot = self._snapshots.open(key)
            about = snapshot.manifest.about
            anchor = anchored(self._journal, about)
            with _collection_paused():
                restore(state, snapshot, self._limits)
        except AnchorUnseen as error:
            log.warning("shard %d: %s; it is tried again at the next start", key.shard, error, extra=self._fields())
            self.refused.append(str(error))
            return None
        except SnapshotUnusable as error:
            self._snapshots.found_unusable(error, key)
            self.refused.append(str(error))
            return None
        except ObjectStoreFailed as error:
            log.error("shard %d: snapshot %s cannot be read: %s", key.shard, key.stem, error, extra=self._fields())
            self.refused.append(str(error))
            return None
        reader = Reader.from_state(about.reader)
        reader.last_valid = anchor
        self.taken_us = about.taken
        log.info(
            "shard %d: snapshot %s loaded, %d streams, in %.1f s; replay goes on at offset %d",
            key.shard,
            key.stem,
            snapshot.manifest.streams,
            perf_counter() - began,
            reader.position,
            extra=self._fields() | {"epoch": reader.epoch},
        )
        return reader

    def _fields(self) -> Fields:
        return {"journal": self._snapshots.journal, "shard": self._snapshots.shard}


def restore(state: ShardState, snapshot: Snapshot, limits: Limits) -> None:
    """Make the snapshot's state the shard's. Raises SnapshotUnusable, and then nothing has changed."""
    about, key = snapshot.manifest.about, snapshot.key.stem
    if about.dedupe_window_ms != limits.dedupe_window_ms:
        raise SnapshotUnusable(
            key,
            f"it was made with dedupe_window_ms {about.dedupe_window_ms}, and now it is {limits.dedupe_window_ms}: it "
            "does not say which ids that window would hold",
        )
    categories = state.registry.categories
    buckets: dict[str, list[dict[str, Slot]]] = {name: [{} for _ in range(BUCKETS)] for name in categories}
    requests = RequestWindow(limits.dedupe_window_ms, limits.dedupe_ids_max)
    counted = CountedWindow(limits.dedupe_counted_ids_max)
    for part in snapshot.parts():
        if isinstance(part, IdsPart):
            _load_ids(key, requests if part.kind == "requests" else counted, part)
            continue
        into = buckets[part.category]
        for id, slot in part.streams.items():
            into[hash(id) & BUCKET_MASK][id] = slot
    counted.load_count(about.counted)
    for name, loaded in buckets.items():
        categories[name].buckets[:] = loaded
    state.requests, state.counted = requests, counted
    state.time, state.inputs = about.time, dict(about.inputs)
    state.sent, state.received = dict(about.sent), dict(about.received)


def _load_ids(key: str, window: RequestWindow | CountedWindow, part: IdsPart) -> None:
    try:
        window.load(part.name, part.ids)
    except (ValueError, KeyError) as error:
        raise SnapshotUnusable(key, f"its window has a generation of no known name: {part.name!r}") from error


@contextmanager
def _collection_paused() -> Iterator[None]:
    """Loading makes nothing that needs collection, and each collection would look through all that was loaded."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()

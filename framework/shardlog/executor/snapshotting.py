"""A shard's snapshots: when one is due, what it holds, and that no command waits for it.

At a frame boundary the streams are marked as held and the small state is copied; that takes microseconds. They may hold
frames that are not acknowledged yet. Once the last of those is, the state that was marked is acknowledged state: then
the windows and the reader's place are noted, and a background thread encodes it all (rule S1). Where an append fails
before, the marks are dropped, and the next snapshot begins anew. So none ever holds what is not in the log.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import deque
from concurrent.futures import Future
from time import perf_counter
from typing import NamedTuple, TypeAlias

from shardlog.errors import ObjectStoreError, SnapshotFailed
from shardlog.executor.background import Background
from shardlog.executor.clock import World
from shardlog.executor.core import ExecutorCore
from shardlog.executor.draft import Before
from shardlog.executor.held import HeldStreams
from shardlog.executor.restoring import Restoring
from shardlog.journal.chain import value_digest
from shardlog.journal.writer import JournalWriter
from shardlog.ports.journal import Journal
from shardlog.snapshots.keys import SnapshotKey
from shardlog.snapshots.manifest import About, Manifest
from shardlog.snapshots.pace import Pace
from shardlog.snapshots.settings import SnapshotSettings
from shardlog.snapshots.store import ShardSnapshots
from shardlog.snapshots.writing import Contents, Streams, WindowIds
from shardlog.telemetry.fields import Fields
from shardlog.telemetry.figures import SnapshotFigures

log = logging.getLogger("shardlog.snapshots")
Asked: TypeAlias = "Future[SnapshotKey]"


class _Held(NamedTuple):
    """The state at a frame boundary. epoch, seq: of the newest frame in it. askers: who waits for this snapshot."""

    streams: dict[str, HeldStreams]
    small: Before
    epoch: int
    seq: int
    journal_bytes: int
    askers: list[Asked]


class _Ended(NamedTuple):
    """What came of one. journal_bytes: how much journal it saves a recovery."""

    journal_bytes: int
    result: SnapshotKey | Exception


class _Counts:
    """What came of all of them, for figures."""

    def __init__(self) -> None:
        self.taken_us = 0
        self.seconds = 0.0
        self.bytes = 0
        self.written = 0
        self.failed = 0

    def wrote(self, about: About, manifest: Manifest, seconds: float) -> None:
        """One stands, and was read back."""
        self.taken_us, self.seconds, self.bytes = about.taken, seconds, manifest.bytes
        self.written += 1


class Snapshotting:
    """One shard's. Methods are called from the build thread, `ask` from any.

    refused: why snapshots were not loaded at the last look.
    """

    def __init__(
        self,
        core: ExecutorCore,
        writer: JournalWriter,
        snapshots: ShardSnapshots,
        settings: SnapshotSettings,
        background: Background,
        world: World,
        code: str,
    ) -> None:
        self._core = core
        self._writer = writer
        self._snapshots = snapshots
        self._settings = settings
        self._background = background
        self._world = world
        self._code = code
        self.refused: list[str] = []
        self._asked: deque[Asked] = deque()
        self._held: _Held | None = None
        self._ended: deque[_Ended] = deque()
        self._cancelled = threading.Event()
        self._is_writing = False
        self._newest: SnapshotKey | None = None
        self._journal_bytes = 0
        self._newest_ms = world.monotonic_ms()
        self._not_before_ms = 0.0
        self._counts = _Counts()

    def figures(self) -> SnapshotFigures:
        """What came of them. From any thread."""
        counts = self._counts
        return SnapshotFigures(
            taken_s=counts.taken_us / 1_000_000,
            seconds=counts.seconds,
            bytes=counts.bytes,
            written=counts.written,
            failed=counts.failed,
        )

    # -- what happens to the shard -------------------------------------------------------------------------------------
    def ask(self) -> Asked:
        """Want one that holds at least what is acknowledged now. The future fails with SnapshotFailed."""
        asked: Asked = Future()
        self._asked.append(asked)
        if self._cancelled.is_set():
            self._refuse_asked()
        return asked

    def load(self, journal: Journal) -> None:
        """Begin the shard's first recovery with the newest snapshot that holds, if there is one."""
        restoring = Restoring(self._snapshots, journal, self._core.limits)
        loaded = restoring.load(self._core.state)
        self.refused = restoring.refused
        self._counts.taken_us = restoring.taken_us
        if loaded is not None:
            self._newest, self._writer.reader = loaded

    def passed(self, journal_bytes: int) -> None:
        """So much journal would have to be replayed beside the newest snapshot, more than before."""
        self._journal_bytes += journal_bytes

    def step(self) -> None:
        """Begin one if it is due. Called while the shard serves, between frames."""
        while self._ended:
            self._note(self._ended.popleft())
        if self._held is None and not self._is_writing and self._is_due() and self._background.take():
            if self._is_new():
                self._hold()
                if not self._core.pending:
                    self._write()
            else:
                self._background.give_back()

    def acknowledged(self, journal_bytes: int) -> None:
        """A frame of so many bytes was acknowledged, and the reader stands behind it."""
        self._journal_bytes += journal_bytes
        held = self._held
        if held is not None:
            reader = self._writer.reader
            if (reader.epoch, reader.seq) == (held.epoch, held.seq):
                self._write()

    def failing(self) -> None:
        """Pending frames are about to be rolled back, and others to be replayed."""
        held = self._held
        if held is not None:
            self._held = None
            self._background.give_back()
            self._asked.extendleft(reversed(held.askers))
            self._journal_bytes += held.journal_bytes
        for category in self._core.state.registry.categories.values():
            if self._is_writing:
                category.leave_held()
            else:
                category.drop_held()

    def stop(self) -> None:
        """No more of them; one that is being written is given up."""
        self._cancelled.set()
        if self._held is not None:
            self._asked.extend(self._held.askers)
            self._held = None
            self._background.give_back()
        self._refuse_asked()

    # -- one snapshot --------------------------------------------------------------------------------------------------
    def _is_due(self) -> bool:
        if self._asked:
            return True
        settings = self._settings
        if not self._journal_bytes or self._world.monotonic_ms() < self._not_before_ms:
            return False
        if 0 < settings.every_bytes <= self._journal_bytes:
            return True
        return 0 < settings.every_ms <= self._world.monotonic_ms() - self._newest_ms

    def _is_new(self) -> bool:
        """Whether there is anything that the newest snapshot has not; otherwise that is the answer."""
        newest = self._newest
        if newest is None or self._core.pending or self._writer.reader.position != newest.offset:
            return True
        while self._asked:
            _answer(self._asked.popleft(), newest)
        return False

    def _hold(self) -> None:
        """Mark the state as it is at this frame boundary."""
        askers: list[Asked] = []
        with contextlib.suppress(IndexError):  # one by one: others ask at this moment, and none may be lost
            while True:
                askers.append(self._asked.popleft())
        categories = self._core.state.registry.categories
        reader = self._writer.reader
        self._held = _Held(
            {name: category.hold() for name, category in categories.items()},
            self._core.state.before(),
            reader.epoch,
            self._writer.next_seq - 1,
            self._journal_bytes,
            askers,
        )
        self._journal_bytes = 0

    def _write(self) -> None:
        """What is held is acknowledged now: write it in the background."""
        held, self._held = self._held, None
        assert held is not None
        contents = self._contents(held)
        self._is_writing = True
        self._newest_ms = self._world.monotonic_ms()
        pace = self._settings.share_percent / 100
        self._background.run(lambda: self._written(held, contents, pace))

    def _contents(self, held: _Held) -> Contents:
        """All that the snapshot is made of; the windows hold acknowledged frames only, and end with this one."""
        state, schemas = self._core.state, self._snapshots.schemas
        return Contents(
            self._about(held.small),
            [Streams(name, schemas[name], streams.release()) for name, streams in held.streams.items()],
            [
                *(WindowIds("requests", frozen.name, frozen.buckets()) for frozen in state.requests.frozen()),
                *(WindowIds("counted", frozen.name, frozen.buckets()) for frozen in state.counted.frozen()),
            ],
        )

    def _about(self, small: Before) -> About:
        at = self._writer.reader.state
        assert self._writer.reader.last_valid is not None  # the own claim, at least
        offset, value = self._writer.reader.last_valid
        return About(
            journal=at.journal,
            shard=at.shard,
            shards=at.shards,
            next=at.next,
            epoch=at.epoch,
            nonce=at.nonce,
            seq=at.seq,
            head=at.head,
            time=small.time,
            anchor=(offset, value_digest(value)),
            inputs=small.inputs,
            sent=small.sent,
            received=small.received,
            counted=self._core.state.counted.count,
            dedupe_window_ms=self._core.limits.dedupe_window_ms,
            code=self._code,
            taken=self._world.now_us(),
        )

    def _written(self, held: _Held, contents: Contents, share: float) -> None:
        """The background's work. It tells those who asked."""
        key = contents.about.key
        began = perf_counter()
        result: SnapshotKey | Exception
        try:
            manifest = self._snapshots.write(contents, Pace(share, self._cancelled))
            log.info(
                "shard %d: snapshot %s written, %d streams, %d bytes, in %.1f s",
                key.shard,
                key.stem,
                manifest.streams,
                manifest.bytes,
                perf_counter() - began,
                extra=_fields(key),
            )
            self._counts.wrote(contents.about, manifest, perf_counter() - began)
            result = key
        except (ObjectStoreError, SnapshotFailed) as error:
            log.error("shard %d: no snapshot at %s: %s", key.shard, key.stem, error, extra=_fields(key))
            result = error
        except Exception as error:  # a state without a JSON form, whatever: the shard serves on
            log.exception("shard %d: no snapshot at %s", key.shard, key.stem, extra=_fields(key))
            result = error
        self._ended.append(_Ended(held.journal_bytes, result))
        for asked in held.askers:
            _answer(asked, result)

    def _note(self, ended: _Ended) -> None:
        self._is_writing = False
        for category in self._core.state.registry.categories.values():
            category.drop_held()
        if isinstance(ended.result, SnapshotKey):
            self._newest = ended.result
        else:
            self._journal_bytes += ended.journal_bytes
            self._counts.failed += 1
            self._not_before_ms = self._world.monotonic_ms() + self._settings.retry_ms

    def _refuse_asked(self) -> None:
        with contextlib.suppress(IndexError):  # whoever asks may do the same at this moment
            while True:
                _answer(self._asked.popleft(), SnapshotFailed("no snapshot was made: the shard stops"))


def _fields(key: SnapshotKey) -> Fields:
    return {"journal": key.journal, "shard": key.shard}


def _answer(asked: Asked, result: SnapshotKey | Exception) -> None:
    if not asked.set_running_or_notify_cancel():
        return
    if isinstance(result, SnapshotKey):
        asked.set_result(result)
    elif isinstance(result, SnapshotFailed):
        asked.set_exception(result)
    else:
        error = SnapshotFailed(f"no snapshot was made: {result}")
        error.__cause__ = result
        asked.set_exception(error)

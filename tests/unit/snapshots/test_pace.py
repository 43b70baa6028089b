"""The thread that writes a snapshot looks at the clocks behind work, and not behind each of the many empty buckets."""

from __future__ import annotations

import threading
import time

import pytest

from shardlog.errors import SnapshotFailed
from shardlog.snapshots.manifest import About
from shardlog.snapshots.pace import Pace
from shardlog.snapshots.slot import Slot
from shardlog.snapshots.writing import Contents, Streams, WindowIds, write_snapshot
from tests.unit.executor.served import JOURNAL
from tests.unit.executor.snapshots import MemoryObjects

ABOUT = About(
    journal=JOURNAL,
    shard=0,
    shards=1,
    next=1,
    epoch=1,
    nonce="n",
    seq=0,
    head="0" * 64,
    time=0,
    anchor=(0, "0" * 64),
    inputs={},
    sent={},
    received={},
    counted=0,
    dedupe_window_ms=1,
    code="code",
    taken=0,
)


class Counted(Pace):
    """Counts its rests."""

    def __init__(self) -> None:
        super().__init__(1.0, threading.Event())
        self.rests = 0

    def rest(self) -> None:
        self.rests += 1


def test_only_buckets_that_hold_something_are_followed_by_a_rest() -> None:
    pace = Counted()
    streams = Streams("account", "schema", [{"a": Slot(1, 1)}, *({} for _ in range(1_000))])
    ids = WindowIds("requests", "0", [[(b"k" * 16, 7 << 64)], *([] for _ in range(1_000))])
    manifest = write_snapshot(MemoryObjects(), Contents(ABOUT, [streams], [ids]), pace)
    assert manifest.oldest_referenced == 7
    assert pace.rests <= 2 * len(manifest.chunks) == 4


def test_the_thread_clock_is_not_looked_at_before_there_may_be_anything_to_rest_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pace = Pace(0.5, threading.Event())
    monkeypatch.setattr(time, "perf_counter", lambda: pace._began)
    monkeypatch.setattr(time, "thread_time", lambda: pytest.fail("looked at"))
    pace.rest()


def test_however_little_was_done_cancelled_work_ends() -> None:
    cancelled = threading.Event()
    pace = Pace(1.0, cancelled)
    cancelled.set()
    with pytest.raises(SnapshotFailed, match="given up"):
        pace.rest()

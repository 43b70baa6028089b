"""What a snapshot costs the commands beside it: one shard, flat out, while its streams are written to a folder.

    python -m bench.snapshot --streams 1000000 --json

Commands come from an input in frames of 200, before, during and after. The pause is the longest time between two steps
of the build thread that led to a frame, which includes building one. On a machine that others use, the pauses without a
snapshot say how much of it is theirs; the processor time of the dearest frame is all that is ours.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path

from bench.report import report
from bench.shard import JOURNAL_ID, DrivenShard, open_journal, percentile
from bench.workload import Account, application, records
from shardlog.adapters.filesystem.objects import FilesystemObjects
from shardlog.executor.clock import SystemWorld
from shardlog.executor.core import ExecutorCore
from shardlog.executor.limits import Limits
from shardlog.executor.registry import BUCKET_MASK
from shardlog.executor.state import Shard
from shardlog.ports.inputs import Input
from shardlog.snapshots.keys import SnapshotKey
from shardlog.snapshots.settings import SnapshotSettings
from shardlog.snapshots.slot import Slot
from shardlog.wiring.snapshotting import ProcessSnapshots

RING_RECORDS = 100_000
"""Records that are made ahead; they come again and again, as other commands."""


class Ring(Input):
    """A few records, for ever."""

    name = "feeder:ring:1"

    def __init__(self, made: Sequence[bytes]) -> None:
        self._made = made

    def read(self, shard: int, start: int, limit: int) -> Sequence[tuple[int, bytes]]:
        """The records from `start`."""
        made = self._made
        return [(offset, made[offset % len(made)]) for offset in range(start, start + limit)]


class Phase:
    """The frames of a stretch of time."""

    def __init__(self) -> None:
        self.gaps: list[float] = []
        self.worked: list[float] = []

    def commands_per_s(self) -> float:
        """Commands of its frames, each of 200, a second."""
        return 200 * len(self.gaps) / max(sum(self.gaps), 1e-9)

    def frame_cpu_ms_max(self) -> float:
        """Processor time of the build thread for the dearest frame: what it would pause on a machine of its own."""
        return max(self.worked) * 1e3

    def pause_ms(self, part: float) -> float:
        """What part (0 to 1) of the gaps are shorter than, in milliseconds."""
        return percentile(sorted(self.gaps), part) * 1e3


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--journal", choices=["memory", "sqlite"], default="memory")
    parser.add_argument("--streams", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=5.0, help="of load before and after")
    parser.add_argument("--share", type=int, default=SnapshotSettings().share_percent, help="of the interpreter, %%")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="shardlog-bench-") as place:
        report(measure(given.journal, Path(place), given.streams, given.seconds, given.share), given.json)


def measure(kind: str, directory: Path, streams: int, seconds: float, share: int) -> dict[str, object]:
    """Load before, during and after one snapshot."""
    journal = open_journal(kind, directory / "journal")
    objects = FilesystemObjects(directory / "snapshots")
    source = Ring(records(RING_RECORDS, streams))
    settings = SnapshotSettings(every_bytes=0, every_ms=0, share_percent=share)
    snapshots = ProcessSnapshots(objects, settings, SystemWorld(), "bench")
    shard = DrivenShard(journal, Limits(), [source], snapshots=snapshots)
    preload(shard.core, streams)
    shard.serve()
    run(shard, Phase(), seconds / 2, None)
    before, during, after = Phase(), Phase(), Phase()
    run(shard, before, seconds, None)
    asked = shard.executor.snapshot()
    began, cpu = time.perf_counter(), time.process_time() - time.thread_time()
    run(shard, during, 600.0, asked)
    took, cpu = time.perf_counter() - began, time.process_time() - time.thread_time() - cpu
    asked.result(0)
    run(shard, after, seconds, None)
    shard.close()
    journal.close()
    size = sum(stored.bytes for stored in objects.list(""))
    beside = (before.commands_per_s() + after.commands_per_s()) / 2
    return {
        "journal": kind,
        "streams": shard.core.state.registry.streams(),
        "snapshot_s": took,
        "snapshot_cpu_s": cpu,
        "commands_per_s": beside,
        "during_commands_per_s": during.commands_per_s(),
        "throughput_ratio_during": during.commands_per_s() / beside,
        "pause_ms_max": during.pause_ms(1.0),
        "pause_ms_p99": during.pause_ms(0.99),
        "frame_cpu_ms_max": during.frame_cpu_ms_max(),
        "without_frame_cpu_ms_max": max(before.frame_cpu_ms_max(), after.frame_cpu_ms_max()),
        "without_pause_ms_max": max(before.pause_ms(1.0), after.pause_ms(1.0)),
        "bytes_per_stream": size / streams,
    }


def run(shard: DrivenShard, phase: Phase, seconds: float, until: Future[SnapshotKey] | None) -> None:
    """Load for so long, or until there is a snapshot; notes the gaps between frames."""
    last = began = time.perf_counter()
    frames, worked = shard.executor.frames, time.thread_time()
    while last - began < seconds and not (until is not None and until.done()):
        shard.step()
        if shard.executor.frames > frames:
            now = time.perf_counter()
            phase.gaps.append(now - last)
            last, frames = now, shard.executor.frames
            phase.worked.append(time.thread_time() - worked)
            worked = time.thread_time()


def preload(core: ExecutorCore, streams: int) -> None:
    """Streams that are there already."""
    assert core.shard == Shard(JOURNAL_ID, 0, 1)
    category = core.state.registry.categories[application.aggregates["account"].category]
    chance = random.Random(3)
    for number in range(streams):
        id = f"account-{number:07d}"
        category.buckets[hash(id) & BUCKET_MASK][id] = Slot(1, Account(balance=chance.randrange(10**6)))


if __name__ == "__main__":
    main()

"""How long a shard takes to serve again: the newest snapshot from a folder, then the journal behind it.

    python -m bench.recovery --streams 1000000 --json

From a process that knows nothing to a shard that serves, its claim included; the tail is replayed, checked and evolved.
The journal is in memory.
"""

from __future__ import annotations

import argparse
import gc
import tempfile
from pathlib import Path
from time import perf_counter, thread_time

from bench.report import report
from bench.shard import DrivenShard
from bench.snapshot import RING_RECORDS, Phase, Ring, preload, run
from bench.workload import records
from shardlog.adapters.filesystem.objects import FilesystemObjects
from shardlog.adapters.memory.journal import MemoryJournal
from shardlog.executor.clock import SystemWorld
from shardlog.executor.limits import Limits
from shardlog.executor.mode import Mode
from shardlog.snapshots.settings import SnapshotSettings
from shardlog.wiring.snapshotting import ProcessSnapshots

SETTINGS = SnapshotSettings(every_bytes=0, every_ms=0, share_percent=100)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--tail", type=int, default=100_000, help="commands behind the snapshot")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    figures: dict[str, object] = {"tail_commands": given.tail}
    for streams in given.streams:
        with tempfile.TemporaryDirectory(prefix="shardlog-bench-") as place:
            figures |= {f"{name}_{streams}_streams": found for name, found in measure(Path(place), streams, given.tail)}
    report(figures, given.json)


def measure(directory: Path, streams: int, tail: int) -> list[tuple[str, float]]:
    """Write a snapshot and a tail; recover from them."""
    journal = MemoryJournal(1)
    snapshots = ProcessSnapshots(FilesystemObjects(directory), SETTINGS, SystemWorld(), "bench")
    fill(journal, snapshots, streams, tail)
    gc.unfreeze()
    gc.collect()
    shard = DrivenShard(journal, Limits(), snapshots=snapshots)
    began, cpu = perf_counter(), thread_time()
    while shard.executor.mode is not Mode.SERVING:
        shard.step()
    took = perf_counter() - began, thread_time() - cpu
    assert shard.core.state.registry.streams() == streams
    shard.close()
    return [("recovery_s", took[0]), ("recovery_cpu_s", took[1])]


def fill(journal: MemoryJournal, snapshots: ProcessSnapshots, streams: int, tail: int) -> None:
    """So many streams in a snapshot, so many commands behind it."""
    source = Ring(records(min(tail, RING_RECORDS), streams))
    shard = DrivenShard(journal, Limits(), [source], snapshots=snapshots)
    preload(shard.core, streams)
    shard.serve()
    asked = shard.executor.snapshot()
    while not asked.done():
        shard.step()
    settled = shard.executor.settled(source.name)
    while shard.executor.settled(source.name) < settled + tail:
        run(shard, Phase(), 0.05, None)
    shard.close()


if __name__ == "__main__":
    main()

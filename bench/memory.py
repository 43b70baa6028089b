"""What a shard takes of memory: bytes a stream beside its state, and the window of a million command ids.

    python -m bench.memory --json

Each is measured in a process of its own, as what its resident set grows by (Linux: /proc). Streams: a journal of one
event a stream is recovered, and the states themselves are taken off. `counted` is the same from `sys.getsizeof`: ids,
slots, dictionaries; the difference is what the allocator and the recovery leave behind. The window: ids of requests,
spread evenly over its 60 seconds.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import tempfile
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

from bench.report import report
from bench.shard import JOURNAL_ID, DrivenShard, ListInput
from bench.workload import application, one_each
from shardlog.adapters.sqlite.journal import SqliteJournal
from shardlog.executor.core import ExecutorCore
from shardlog.executor.limits import Limits
from shardlog.executor.registry import Category
from shardlog.executor.replay import Replay
from shardlog.executor.state import Shard
from shardlog.executor.window import RequestWindow, window_key
from shardlog.journal.reader import FrameTaken, Reader

FRAME_COMMANDS = 200
FILL_COMMANDS = 100_000
"""So many streams at a time are written, so that their records are never all in memory."""
MEGA = 1_000_000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=MEGA)
    parser.add_argument("--ids", type=int, default=MEGA)
    parser.add_argument("--small", action="store_true", help="to see that it works: the figures mean little")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if given.small:
        given.streams, given.ids = 50_000, 50_000
    with tempfile.TemporaryDirectory(prefix="shardlog-bench-") as place:
        alone(fill, place, given.streams)
        figures = alone(streams, place, given.streams)
    figures |= alone(window, place, given.ids)
    report(figures, given.json)


def alone(measure: Callable[[str, int], dict[str, float]], directory: str, count: int) -> dict[str, float]:
    """Call it in a fresh process, whose memory holds nothing else."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(measure, (directory, count))


def resident_bytes() -> int:
    """What this process has in memory now, without garbage."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def fill(directory: str, count: int) -> dict[str, float]:
    """Write a journal with one event for each of so many streams."""
    journal = SqliteJournal(Path(directory), 1)
    for first in range(0, count, FILL_COMMANDS):
        source = ListInput(one_each(range(first, min(first + FILL_COMMANDS, count))), f"feeder:fill-{first}:1")
        shard = DrivenShard(journal, Limits(), [source])
        shard.serve()
        while shard.executor.settled(source.name) < min(FILL_COMMANDS, count - first):
            shard.step()
        shard.close()
    journal.close()
    return {}


def streams(directory: str, count: int) -> dict[str, float]:
    """Recover that journal, and see what its streams take."""
    journal = SqliteJournal(Path(directory), 1)
    core = ExecutorCore(application, Shard(JOURNAL_ID, 0, 1), Limits())
    reader, frames = Reader(JOURNAL_ID, 0, 1), Replay(core.state, JOURNAL_ID, 0)
    before = resident_bytes()
    for offset, value in journal.read(0, 0):
        verdict = reader.pass_over(offset, value)
        if isinstance(verdict, FrameTaken):
            frames.apply(offset, verdict.body, reader.epoch, reader.seq)
    grown = resident_bytes() - before
    category = core.state.registry.categories["account"]
    assert core.state.registry.streams() == count
    states = state_bytes(category)
    journal.close()
    return {
        "streams": count,
        "state_bytes_per_stream": states / count,
        "bytes_per_stream": (grown - states) / count,
        "counted_bytes_per_stream": beside_bytes(category) / count,
    }


def state_bytes(category: Category) -> int:
    """What the states and their own fields take."""
    slots = (slot for bucket in category.buckets for slot in bucket.values())
    return sum(sys.getsizeof(slot.state) + sys.getsizeof(slot.state.balance) for slot in slots)


def beside_bytes(category: Category) -> int:
    """What is there beside them: dictionaries, ids and slots."""
    total = 0
    for bucket in category.buckets:
        total += sys.getsizeof(bucket)
        total += sum(sys.getsizeof(id) + sys.getsizeof(slot) for id, slot in bucket.items())
    return total


def window(directory: str, count: int) -> dict[str, float]:
    """Fill a window of requests as acknowledged frames do."""
    limits = Limits()
    ids = RequestWindow(limits.dedupe_window_ms, limits.dedupe_ids_max)
    span_us = limits.dedupe_window_ms * 1_000
    before = resident_bytes()
    for number in range(count):
        key = window_key("acme", "account", f"account-{number:07}", f"{number:032x}")
        frame, index = divmod(number, FRAME_COMMANDS)
        time_us = span_us * number // count
        ids.add(key, frame, index, number * 2_654_435_761 % 2**32, time_us)
        if index == FRAME_COMMANDS - 1:
            ids.frame_ended(time_us)
    grown = resident_bytes() - before
    assert len(ids) == count
    return {"window_ids": count, "window_of_a_million_ids_mb": grown / count}


if __name__ == "__main__":
    main()

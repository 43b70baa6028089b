"""How fast a shard comes back: events a second from the journal into state, from nothing.

    python -m bench.replay --streams 100000 --json

The journal is in memory, so that the figure is that of reading, checking, decoding and evolving; a tenth of the
commands were refused and stand in the frames too. `--journal kafka` reads from a broker, and each stream is opened
once before.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from time import perf_counter, thread_time

from bench.report import report
from bench.shard import JOURNAL_ID, DrivenShard, ListInput
from bench.workload import REFUSED_EVERY, application, one_each, records
from shardlog.adapters.memory.journal import MemoryJournal
from shardlog.executor.core import ExecutorCore
from shardlog.executor.interpreter import tune_for_serving
from shardlog.executor.limits import Limits
from shardlog.executor.replay import Replay
from shardlog.executor.state import Shard
from shardlog.journal.reader import FrameTaken, Reader
from shardlog.ports.journal import Journal


def main() -> int:
    """Measure and print; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--journal", choices=["memory", "kafka"], default="memory")
    parser.add_argument("--commands", type=int, default=1_000_000)
    parser.add_argument("--streams", type=int, default=100_000)
    parser.add_argument("--small", action="store_true", help="to see that it works: the figures mean nothing")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if given.small:
        given.commands, given.streams = 2_000, 100
    if given.journal == "kafka":
        from bench.kafka.place import place, with_broker  # here, since it needs what only a journal on Kafka needs

        def over_kafka(bootstrap: str) -> int:
            with place(bootstrap) as here:
                opening = one_each(range(given.streams))
                workload = opening + records(max(0, given.commands - given.streams), given.streams)
                report(figures(here.journal, workload, len(opening)), given.json)
            return 0

        return with_broker(over_kafka)
    report(figures(MemoryJournal(1), records(given.commands, given.streams), 0), given.json)
    return 0


def figures(journal: Journal, workload: Sequence[bytes], opening: int) -> dict[str, object]:
    """Execute the commands, and replay their frames. opening: how many of them, the first ones, are all accepted."""
    fill(journal, workload)
    tune_for_serving()
    events = len(workload) - (len(workload) - opening) // REFUSED_EVERY
    began, cpu = perf_counter(), thread_time()
    streams = replay(journal)
    elapsed, cpu = perf_counter() - began, thread_time() - cpu
    return {
        "streams": streams,
        "events": events,
        "events_per_s": events / elapsed,
        "cpu_us_per_event": cpu / events * 1e6,
    }


def fill(journal: Journal, workload: Sequence[bytes]) -> None:
    """Execute the commands, in frames of 200."""
    source = ListInput(workload)
    shard = DrivenShard(journal, Limits(), [source])
    shard.serve()
    while shard.executor.settled(source.name) < len(workload):
        shard.step()
    shard.close()


def replay(journal: Journal) -> int:
    """Read the whole journal into a fresh state, as a recovery does. Returns how many streams it has."""
    core = ExecutorCore(application, Shard(JOURNAL_ID, 0, 1), Limits())
    reader, frames = Reader(JOURNAL_ID, 0, 1), Replay(core.state, JOURNAL_ID, 0)
    for offset, value in journal.read(0, 0):
        verdict = reader.pass_over(offset, value)
        if isinstance(verdict, FrameTaken):
            frames.apply(offset, verdict.body, reader.epoch, reader.seq)
    return core.state.registry.streams()


if __name__ == "__main__":
    sys.exit(main())

"""How fast commands become acknowledged frames: from an input in frames of 200, and one at a time.

    python -m bench.execute --journal sqlite --json

Frames of 200: every command is decoded, decided, evolved, encoded, hashed and appended; a tenth is refused. The
latency runs from the moment in which the batch is read from its input to its acknowledgement. Frames of 1: a request is
submitted when the one before it is answered. The peer does load, deposit, save in the same run, on the same disk.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from time import perf_counter, thread_time
from typing import Any

from bench.peer import commands_per_s as peer_commands_per_s
from bench.report import report
from bench.shard import DrivenShard, ListInput, open_journal, percentile
from bench.workload import records
from shardlog.executor.limits import Limits
from shardlog.executor.requests import Request, decode_record
from shardlog.model.outcomes import Outcome


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--journal", choices=["memory", "sqlite"], default="sqlite")
    parser.add_argument("--commands", type=int, default=400_000, help="in frames of 200, after as many to warm up")
    parser.add_argument("--single", type=int, default=5_000, help="measured in frames of 1")
    parser.add_argument("--peer", type=int, default=3_000, help="commands of the peer")
    parser.add_argument("--streams", type=int, default=100_000)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="shardlog-bench-") as place:
        directory = Path(place)
        figures: dict[str, object] = {"journal": given.journal, "streams": given.streams}
        figures |= in_frames_of_200(given.journal, directory / "many", given.commands, given.streams)
        figures |= in_frames_of_1(given.journal, directory / "single", given.single, given.streams)
        figures["peer_commands_per_s"] = peer = peer_commands_per_s(directory, given.peer)
        figures["ratio"] = float(str(figures["commands_per_s"])) / peer
    report(figures, given.json)


def in_frames_of_200(kind: str, directory: Path, commands: int, streams: int) -> dict[str, float]:
    """Throughput and latency from an input, when the streams are there already."""
    journal = open_journal(kind, directory)
    source = ListInput(records(2 * commands, streams))
    shard = DrivenShard(journal, Limits(), [source])
    shard.serve()
    while shard.executor.settled(source.name) < commands:
        shard.step()
    start = shard.executor.settled(source.name)
    latencies: list[float] = []
    began, cpu, seen = perf_counter(), thread_time(), start
    while (settled := shard.executor.settled(source.name)) < 2 * commands:
        shard.step()
        settled = shard.executor.settled(source.name)
        if settled > seen:
            now = perf_counter()
            latencies += [now - source.read_at[at] for at in range(seen, settled, 200) if at in source.read_at]
            seen = settled
    elapsed, cpu = perf_counter() - began, thread_time() - cpu
    shard.close()
    journal.close()
    latencies.sort()
    done = 2 * commands - start
    return {
        "commands_per_s": done / elapsed,
        "cpu_us_per_command": cpu / done * 1e6,
        "ack_ms_p50": percentile(latencies, 0.5) * 1e3,
        "ack_ms_p99": percentile(latencies, 0.99) * 1e3,
    }


class _Waiting:
    """Notes when each answer came."""

    def __init__(self) -> None:
        self.answered_at: dict[Any, float] = {}

    def deliver(self, answers: list[tuple[Any, Outcome]], /) -> None:
        now = perf_counter()
        for ticket, _ in answers:
            self.answered_at[ticket] = now


def in_frames_of_1(kind: str, directory: Path, commands: int, streams: int) -> dict[str, float]:
    """Throughput and latency of one caller that waits for each answer."""
    journal = open_journal(kind, directory)
    shard = DrivenShard(journal, Limits())
    shard.serve()
    sink = _Waiting()
    latencies: list[float] = []
    began = perf_counter()
    for number, value in enumerate(records(commands, streams)):
        submitted = perf_counter()
        shard.executor.submit(Request(decode_record(value), "local", sink, number))
        while number not in sink.answered_at:
            shard.step()
        latencies.append(sink.answered_at[number] - submitted)
    elapsed = perf_counter() - began
    shard.close()
    journal.close()
    latencies.sort()
    return {
        "frames_of_1_commands_per_s": commands / elapsed,
        "frames_of_1_ack_ms_p50": percentile(latencies, 0.5) * 1e3,
        "frames_of_1_ack_ms_p99": percentile(latencies, 0.99) * 1e3,
    }


if __name__ == "__main__":
    main()

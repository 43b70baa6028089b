"""How fast commands become acknowledged frames: from an input in frames of 200, one at a time, and over offered load.

    python -m bench.execute --journal sqlite --json

`--journal kafka` takes commands from a topic, and has other peers beside it: `bench.kafka.execute`.

Frames of 200: every command is decoded, decided, evolved, encoded, hashed and appended; a tenth is refused. The
latency runs from the moment in which the batch is read from its input to its acknowledgement. Frames of 1: a request is
submitted when the one before it is answered. The curve: requests are submitted when they are due, at one rate after
another until the shard does not keep up; latencies run from the time that each was due (`bench.load`).

Beside it in the same run: the peer `eventsourcing`, which does load, deposit, save; and the limits of `bench.bare`, the
same bytes into bare SQLite, and the same messages through bare msgspec.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter, thread_time
from typing import Any

from bench import bare, load
from bench.peer import commands_per_s as peer_commands_per_s
from bench.report import report
from bench.shard import DrivenShard, ListInput, open_journal, percentile
from bench.workload import records
from shardlog.executor.limits import Limits
from shardlog.executor.requests import Request, decode_record
from shardlog.model.outcomes import Outcome

RATES_PER_S = (500, 1_000, 2_000, 5_000, 10_000, 15_000, 20_000, 30_000, 40_000, 50_000, 60_000, 80_000, 100_000)
BEYOND_SATURATION = 2
"""So many rates in a row that are not met end the curve."""


def main() -> int:
    """Measure and print; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--journal", choices=["memory", "sqlite", "kafka"], default="sqlite")
    parser.add_argument("--commands", type=int, default=400_000, help="in frames of 200, after as many to warm up")
    parser.add_argument("--single", type=int, default=5_000, help="measured in frames of 1")
    parser.add_argument("--peer", type=int, default=3_000, help="commands of the peer")
    parser.add_argument("--streams", type=int, default=100_000)
    parser.add_argument("--rates", type=int, nargs="+", help="offered commands a second, rising")
    parser.add_argument("--seconds", type=float, default=4.0, help="at each rate, after a second to warm up")
    parser.add_argument("--without-peers", action="store_true", help="kafka: neither quixstreams nor faust-streaming")
    parser.add_argument("--small", action="store_true", help="to see that it works: the figures mean nothing")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if given.small:
        given.commands, given.single, given.peer, given.streams = 2_000, 20, 20, 100
        given.rates, given.seconds = (200, 400), 0.5
    if given.journal == "kafka":
        from bench.kafka import execute as kafka  # here, since it needs what only a journal on Kafka needs

        return kafka.main(given)
    with tempfile.TemporaryDirectory(prefix="shardlog-bench-") as place:
        directory = Path(place)
        figures: dict[str, object] = {"journal": given.journal, "streams": given.streams}
        figures |= in_frames_of_200(given.journal, directory / "many", given.commands, given.streams)
        figures |= in_frames_of_1(given.journal, directory / "single", given.single, given.streams)
        figures |= beside(directory, float(str(figures["commands_per_s"])), given.peer, given.commands, given.streams)
        figures |= over_offered_load(given.journal, directory, given.rates or RATES_PER_S, given.seconds, given.streams)
    report(figures, given.json)
    return 0


def beside(directory: Path, reached_per_s: float, peer_commands: int, commands: int, streams: int) -> dict[str, float]:
    """The peer and the limits, in the same run and on the same disk."""
    peer = peer_commands_per_s(directory, peer_commands)
    workload = records(commands, streams)
    bare_sqlite = commands / bare.sqlite_seconds(directory / "bare.sqlite", bare.frames(workload))
    bare_msgspec = commands / bare.msgspec_seconds(workload)
    return {
        "peer_commands_per_s": peer,
        "ratio": reached_per_s / peer,
        "bare_sqlite_commands_per_s": bare_sqlite,
        "bare_msgspec_commands_per_s": bare_msgspec,
        "ratio_to_bare_sqlite": reached_per_s / bare_sqlite,
        "ratio_to_bare_msgspec": reached_per_s / bare_msgspec,
    }


def over_offered_load(
    kind: str, directory: Path, rates_per_s: Sequence[int], seconds: float, streams: int
) -> dict[str, object]:
    """Latency at one offered rate after another. saturation_per_s: the highest that was met; None where none was."""
    points: list[load.Point] = []
    for rate in rates_per_s:
        journal = open_journal(kind, directory / f"rate-{rate}")
        workload = records(int(rate * (load.WARM_UP_SECONDS + seconds)), streams)
        points.append(load.at_rate(journal, [decode_record(value) for value in workload], rate, seconds))
        journal.close()
        if len(points) >= BEYOND_SATURATION and not any(point.is_met for point in points[-BEYOND_SATURATION:]):
            break
    met = [point.offered_per_s for point in points if point.is_met]
    return {"saturation_per_s": max(met, default=None), "curve": [point._asdict() for point in points]}


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
    sys.exit(main())

"""Commands that stand in the commands topic, into acknowledged frames: how many a second, and how long each takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter, process_time, thread_time

from bench.kafka.place import Place
from bench.shard import DrivenShard, percentile
from shardlog.executor.limits import Limits
from shardlog.ports.inputs import Input


class TimedInput(Input):
    """An input, and when each batch was read: read_at, by its first offset."""

    def __init__(self, input: Input) -> None:
        self._input = input
        self.read_at: dict[int, float] = {}

    @property
    def name(self) -> str:
        """The input's own."""
        return self._input.name

    def read(self, shard: int, start: int, limit: int) -> Sequence[tuple[int, bytes]]:
        """What the input has."""
        records = self._input.read(shard, start, limit)
        if records:
            self.read_at.setdefault(start, perf_counter())
        return records

    def on_arrival(self, wake: Callable[[], None]) -> None:
        """As the input says."""
        self._input.on_arrival(wake)


def from_the_topic(place: Place, warm_up: int, commands: int) -> dict[str, float]:
    """Execute what stands in the topic: `warm_up` commands first, then `commands` that are measured.

    The latency of a frame runs from the moment in which its batch was read to its acknowledgement.
    """
    source = TimedInput(place.input())
    shard = DrivenShard(place.journal, Limits(), [source])
    shard.serve()
    executor, name = shard.executor, source.name
    while executor.settled(name) < warm_up:
        shard.step()
    start = seen = executor.settled(name)
    source.read_at = {offset: at for offset, at in source.read_at.items() if offset >= start}
    end = warm_up + commands
    latencies: list[float] = []
    frames = executor.frames
    began, cpu, all_cpu = perf_counter(), thread_time(), process_time()
    while seen < end:
        shard.step()
        settled = executor.settled(name)
        if settled > seen:
            now = perf_counter()
            for offset in [offset for offset in source.read_at if offset < settled]:
                latencies.append(now - source.read_at.pop(offset))
            seen = settled
    elapsed, cpu, all_cpu = perf_counter() - began, thread_time() - cpu, process_time() - all_cpu
    shard.close()
    done = seen - start
    latencies.sort()
    return {
        "commands_per_s": done / elapsed,
        "commands_per_frame": done / (executor.frames - frames),
        "cpu_us_per_command": cpu / done * 1e6,
        "process_cpu_us_per_command": all_cpu / done * 1e6,
        "frame_ack_ms_p50": percentile(latencies, 0.5) * 1e3,
        "frame_ack_ms_p99": percentile(latencies, 0.99) * 1e3,
    }

"""The journal port as one process has it: ends may be stale, reads may fail, and the process may end at any call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

from shardlog.errors import AppendFailed, Corrupt
from shardlog.ports.journal import Journal, Report, Writer
from shardlog.testing.simulation.broker import Broker, Flight, Sender
from shardlog.testing.simulation.crashing import CrashPoints
from shardlog.testing.simulation.trace import Trace


class ProcessJournal(Journal):
    """One process's connection to the broker. It never sees less than it has seen."""

    def __init__(self, broker: Broker, sender: Sender, crashes: CrashPoints, random: Random, trace: Trace) -> None:
        self._trace = trace
        self._broker = broker
        self._sender = sender
        self._crashes = crashes
        self._random = random
        self._seen = [0] * len(broker.partitions)

    def writer(self, shard: int) -> Writer:
        return ProcessWriter(self._broker, self._sender, self._crashes, shard, self._trace)

    def read(self, shard: int, start: int) -> Iterator[tuple[int, bytes]]:
        self._crashes.reach("before a read")
        values = self._broker.partitions[shard].values
        for offset in range(start, self._end(shard, start)):
            if self._happens(self._broker.faults.read_error):
                raise Corrupt(shard, offset, "the network damaged the record")
            yield offset, values[offset]

    def offsets(self, shard: int) -> tuple[int, int]:
        return 0, self._broker.partitions[shard].visible

    def truncate(self, shard: int, before: int) -> None:
        raise NotImplementedError("no simulated role truncates the journal")

    def close(self) -> None:
        """Nothing to free."""

    def _end(self, shard: int, start: int) -> int:
        """The end as this process knows it, which may be an old one."""
        end = self._broker.partitions[shard].visible
        least = max(self._seen[shard], start)
        if least < end and self._happens(self._broker.faults.stale_end):
            end = self._random.randint(least, end)
        self._seen[shard] = max(self._seen[shard], end)
        return end

    def _happens(self, chance: float) -> bool:
        return chance > 0 and self._random.random() < chance


class ProcessWriter(Writer):
    """A producer: what it has sent lands, or not, without it."""

    def __init__(self, broker: Broker, sender: Sender, crashes: CrashPoints, shard: int, trace: Trace) -> None:
        self._trace = trace
        self._broker = broker
        self._sender = sender
        self._crashes = crashes
        self._shard = shard
        self._sent: list[Flight] = []
        self._is_abandoned = False

    def append(self, value: bytes, reported: Callable[[Report], None]) -> None:
        if self._is_abandoned:
            reported(AppendFailed("the writer was abandoned before: the value was not appended"))
            return
        self._crashes.reach("before an append")
        flight = Flight(self._sender, self._shard, value, reported)
        self._sent.append(flight)
        self._broker.send(flight)
        self._trace.note(self._sender.label, self._shard, "appends %s", flight)
        self._crashes.reach("after an append")

    def abandon(self, deadline_ms: int) -> None:
        self._is_abandoned = True
        self._broker.abandon(self._sent)

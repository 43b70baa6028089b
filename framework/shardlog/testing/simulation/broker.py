"""The log and the network before it: appends that land late, twice, out of order, never, or after they were failed.

A record that has landed is seen by nobody until it is committed; a change of leader drops records that are not. What
is committed stays. Reports of success are true: they name an offset where the value stands.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Protocol

from shardlog.errors import AppendFailed
from shardlog.ports.journal import Report
from shardlog.testing.simulation.plan import Faults
from shardlog.testing.simulation.trace import Trace


class Sender(Protocol):
    """The process behind a producer. is_alive: whether anybody is left to hear a report."""

    label: str
    is_alive: bool


def record_name(value: bytes) -> str:
    """Kind, epoch and sequence number of a record, to be read by people."""
    fields = value[:140].split(b",", 9)
    return f"{fields[2].decode()[1:-1]} {fields[6].decode()}.{fields[8].decode()}" if len(fields) > 9 else "bytes"


class Flight:
    """One append on its way. landed: committed offsets. is_settled: it was reported, or never will be."""

    __slots__ = ("is_settled", "landed", "reported", "sender", "shard", "value")

    def __init__(self, sender: Sender, shard: int, value: bytes, reported: Callable[[Report], None]) -> None:
        self.sender = sender
        self.shard = shard
        self.value = value
        self.reported = reported
        self.landed: list[int] = []
        self.is_settled = False

    def __str__(self) -> str:
        return record_name(self.value)

    def report(self, report: Report) -> None:
        """Say it to whoever waits, if anybody is left."""
        self.is_settled = True
        if self.sender.is_alive:
            self.reported(report)


class Partition:
    """One shard's log. values: as the leader has them. committed: how many of them stay."""

    __slots__ = ("committed", "in_flight", "landing", "number", "reportable", "values")

    def __init__(self, number: int) -> None:
        self.number = number
        self.values: list[bytes] = []
        self.committed = 0
        self.landing: list[Flight | None] = []
        self.in_flight: list[Flight] = []
        self.reportable: list[Flight] = []

    @property
    def visible(self) -> int:
        """How many records readers may see (rule R5: below the high watermark)."""
        return self.committed


class Broker:
    """All partitions, driven step by step. faults: what may go wrong; replaced by none when the run calms down."""

    def __init__(self, shards: int, random: Random, faults: Faults, trace: Trace) -> None:
        self.partitions = [Partition(number) for number in range(shards)]
        self.faults = faults
        self._random = random
        self._trace = trace

    def send(self, flight: Flight) -> None:
        """An append leaves its process."""
        self.partitions[flight.shard].in_flight.append(flight)

    def abandon(self, flights: list[Flight]) -> None:
        """A producer was abandoned: some of what it has not sent is dropped, the rest may land yet."""
        for flight in flights:
            in_flight = self.partitions[flight.shard].in_flight
            if flight in in_flight and self._happens(self.faults.dropped_at_abandon):
                in_flight.remove(flight)

    @property
    def is_busy(self) -> bool:
        """Whether anything is on its way."""
        return any(p.in_flight or p.reportable or p.committed < len(p.values) for p in self.partitions)

    def step(self) -> None:
        """One thing happens on the way of an append, or of its report."""
        partition = self._random.choice(self.partitions)
        moves: list[Callable[[Partition], None]] = []
        if partition.in_flight:
            moves.append(self._land)
        if partition.committed < len(partition.values):
            moves.append(self._commit)
        if partition.reportable:
            moves.append(self._report)
        if moves:
            self._random.choice(moves)(partition)
        elif self._happens(self.faults.foreign):
            self._write_foreign(partition)

    def change_leader(self) -> None:
        """Records that are not committed vanish; producers send some of them again."""
        partition = self._random.choice(self.partitions)
        dropped = partition.landing[partition.committed :]
        del partition.values[partition.committed :]
        del partition.landing[partition.committed :]
        again = [flight for flight in dropped if flight is not None and self._random.random() < 0.5]
        partition.in_flight[:0] = again
        self._trace.note(
            "broker", partition.number, "leader changes: %s records vanish, %s are sent again", len(dropped), len(again)
        )

    def _land(self, partition: Partition) -> None:
        faults, in_flight = self.faults, partition.in_flight
        place = self._random.randrange(len(in_flight)) if self._happens(faults.late) else 0
        flight = in_flight[place]
        if self._happens(faults.lost):
            del in_flight[place]
            self._trace.note("broker", partition.number, "%s of %s is lost", flight, flight.sender.label)
        elif not flight.is_settled and self._happens(faults.failed):
            self._fail(partition, flight)
        else:
            if not self._happens(faults.twice):
                del in_flight[place]
            partition.values.append(flight.value)
            partition.landing.append(flight)
            self._trace.note(
                "broker",
                partition.number,
                "%s of %s lands at %s",
                flight,
                flight.sender.label,
                len(partition.values) - 1,
            )

    def _commit(self, partition: Partition) -> None:
        flight = partition.landing[partition.committed]
        if flight is not None:
            flight.landed.append(partition.committed)
            if not flight.is_settled and flight not in partition.reportable:
                partition.reportable.append(flight)
        partition.committed += 1
        self._trace.note(
            "broker", partition.number, "%s is committed at %s", flight or "bytes", partition.committed - 1
        )

    def _report(self, partition: Partition) -> None:
        faults, reportable = self.faults, partition.reportable
        flight = reportable.pop(self._random.randrange(len(reportable)) if self._happens(faults.late) else 0)
        if flight.is_settled:
            return
        if self._happens(faults.silent):
            flight.is_settled = True
            self._trace.note("broker", partition.number, "the report of %s of %s is lost", flight, flight.sender.label)
        elif self._happens(faults.failed):
            self._fail(partition, flight)
        else:
            report = None if self._happens(faults.no_offset) else self._random.choice(flight.landed)
            self._trace.note(
                "broker", partition.number, "%s is told: %s stands at %s", flight.sender.label, flight, report
            )
            flight.report(report)

    def _fail(self, partition: Partition, flight: Flight) -> None:
        self._trace.note("broker", partition.number, "%s is told: %s failed", flight.sender.label, flight)
        flight.report(AppendFailed("the network ended the append; it may have landed"))

    def _write_foreign(self, partition: Partition) -> None:
        old = partition.values[: partition.committed]
        value = self._random.choice([b"hello", b'["shardlog",1,"frame"]', *old[-9:]])
        partition.values.append(value)
        partition.landing.append(None)
        self._trace.note(
            "broker", partition.number, "foreign bytes land at %s: %s", len(partition.values) - 1, value[:60]
        )

    def _happens(self, chance: float) -> bool:
        return chance > 0 and self._random.random() < chance

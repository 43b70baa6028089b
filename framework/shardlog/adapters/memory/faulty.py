"""A journal over an unkind network: appends wait until they are told to land, reports say what they are told to say.

Nothing happens by itself: no thread, no clock, no chance. `FaultyJournal` is driven by explicit calls; `Faults` draws
them from a seeded generator, so that a walk can be repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

from shardlog.adapters.memory.journal import MemoryLog
from shardlog.errors import AppendFailed, Corrupt
from shardlog.ports.journal import Journal, Report, Writer


class Flight:
    """One append on its way. landed: the offsets where it stands, more than one where it landed twice.

    is_over: it lands no more. is_reported: its report was given. is_ghost: its writer was abandoned.
    """

    def __init__(self, shard: int, value: bytes, reported: Callable[[Report], None]) -> None:
        self.shard = shard
        self.value = value
        self.landed: list[int] = []
        self.is_over = False
        self.is_reported = False
        self.is_ghost = False
        self._reported = reported

    def report(self, report: Report) -> None:
        """Say this to the writer's caller, true or not, again or not."""
        self.is_reported = True
        self._reported(report)


class FaultyJournal(Journal):
    """Shards in memory whose appends are in flight until a call lets them land or be lost."""

    def __init__(self, shards: int) -> None:
        self.flights: list[Flight] = []
        self._logs = tuple(MemoryLog(shard) for shard in range(shards))
        self._torn: set[tuple[int, int]] = set()

    # -- the port ------------------------------------------------------------------------------------------------------
    def writer(self, shard: int) -> Writer:
        return FaultyWriter(self, shard)

    def read(self, shard: int, start: int) -> Iterator[tuple[int, bytes]]:
        for offset, value in self._logs[shard].read(start):
            if (shard, offset) in self._torn:
                raise Corrupt(shard, offset, "the record was torn")
            yield offset, value

    def offsets(self, shard: int) -> tuple[int, int]:
        return self._logs[shard].offsets()

    def truncate(self, shard: int, before: int) -> None:
        self._logs[shard].truncate(before)

    def close(self) -> None:
        """Nothing to free."""

    # -- what happens --------------------------------------------------------------------------------------------------
    def in_flight(self, shard: int = 0) -> list[Flight]:
        """Appends of a shard that may land yet, oldest first."""
        return [flight for flight in self.flights if flight.shard == shard and not flight.is_over]

    def land(self, flight: Flight, *, may_land_again: bool = False) -> int:
        """The value reaches the log, and nobody is told; returns its offset."""
        offset = self._logs[flight.shard].append(flight.value)
        flight.landed.append(offset)
        flight.is_over = not may_land_again
        return offset

    def deliver(self, flight: Flight) -> int:
        """The value reaches the log, and the report says where; returns its offset."""
        offset = self.land(flight)
        flight.report(offset)
        return offset

    def deliver_all(self, shard: int = 0) -> None:
        """Everything in flight lands in order and is reported as it is."""
        for flight in self.in_flight(shard):
            self.deliver(flight)

    def lose(self, flight: Flight) -> None:
        """The value never lands (again), and nobody is told."""
        flight.is_over = True

    def fail(self, flight: Flight) -> None:
        """An error is reported, whatever became of the value or may yet."""
        flight.report(AppendFailed("the network ended the append; it may have landed"))

    def write(self, shard: int, value: bytes) -> int:
        """Somebody else's bytes reach the log; returns their offset."""
        return self._logs[shard].append(value)

    def tear(self, shard: int, offset: int) -> None:
        """The record is damaged: reading it raises Corrupt from now on."""
        self._torn.add((shard, offset))


class FaultyWriter(Writer):
    """Puts values in flight. What was sent before it was abandoned may land later: a ghost."""

    def __init__(self, journal: FaultyJournal, shard: int) -> None:
        self._journal = journal
        self._shard = shard
        self._sent: list[Flight] = []
        self._is_abandoned = False

    def append(self, value: bytes, reported: Callable[[Report], None]) -> None:
        if self._is_abandoned:
            reported(AppendFailed("the writer was abandoned before: the value was not appended"))
            return
        flight = Flight(self._shard, value, reported)
        self._sent.append(flight)
        self._journal.flights.append(flight)

    def abandon(self, deadline_ms: int) -> None:
        self._is_abandoned = True
        for flight in self._sent:
            flight.is_ghost = True


class Faults:
    """Draws what happens to the appends of a shard. unkindness: 0 is a kind network, 1 one where much goes wrong."""

    def __init__(self, journal: FaultyJournal, random: Random, unkindness: float, shard: int = 0) -> None:
        self._journal = journal
        self._random = random
        self._unkindness = unkindness
        self._shard = shard

    def step(self) -> None:
        """One thing happens to what is in flight, or to a report."""
        journal, random = self._journal, self._random
        flights = journal.in_flight(self._shard)
        silent = [f for f in journal.flights if f.shard == self._shard and f.landed and not f.is_reported]
        if silent and random.random() < 0.5:
            self._report(random.choice(silent))
        elif flights:
            flight = flights[0] if random.random() < 0.8 else random.choice(flights)
            if self._goes_wrong(0.1):
                journal.lose(flight)
            elif self._goes_wrong(0.1):
                journal.fail(flight)
            else:
                journal.land(flight, may_land_again=self._goes_wrong(0.15))

    def _report(self, flight: Flight) -> None:
        offset = self._random.choice(flight.landed)
        if self._goes_wrong(0.1):
            flight.is_reported = True  # the report is lost
        elif self._goes_wrong(0.1):
            self._journal.fail(flight)
        elif self._goes_wrong(0.15):
            flight.report(None)
        elif self._goes_wrong(0.15):
            flight.report(self._journal.offsets(self._shard)[1] + self._random.randint(0, 2))  # where it is not
        else:
            flight.report(offset)
            if self._goes_wrong(0.1):
                flight.report(offset)

    def _goes_wrong(self, chance: float) -> bool:
        return self._random.random() < chance * self._unkindness

"""One shard for benchmarks: driven by hand, so the caller is the build thread."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

from bench import workload
from shardlog.adapters.memory.journal import MemoryJournal
from shardlog.adapters.sqlite.journal import SqliteJournal
from shardlog.executor.clock import SystemWorld
from shardlog.executor.core import ExecutorCore
from shardlog.executor.interpreter import tune_for_serving
from shardlog.executor.limits import Limits
from shardlog.executor.mode import Claimant, Mode
from shardlog.executor.shard import ShardExecutor
from shardlog.executor.state import Shard
from shardlog.journal.reader import Reader
from shardlog.journal.writer import JournalWriter
from shardlog.model.application import Application
from shardlog.ports.inputs import Input
from shardlog.ports.journal import Journal
from shardlog.wiring.snapshotting import ProcessSnapshots

JOURNAL_ID = "0d9ab5de-9d0b-4b57-8d6f-6a4a7f6b6a11"


class ListInput(Input):
    """Records in memory. read_at: when each batch was first asked for, by its first offset."""

    def __init__(self, records: Sequence[bytes], name: str = "feeder:bench:1") -> None:
        self._records = list(enumerate(records))
        self._name = name
        self.read_at: dict[int, float] = {}

    @property
    def name(self) -> str:
        """KIND:NAME:INCARNATION."""
        return self._name

    def read(self, shard: int, start: int, limit: int) -> Sequence[tuple[int, bytes]]:
        """The records from `start`."""
        self.read_at.setdefault(start, perf_counter())
        return self._records[start : start + limit]


class DrivenShard:
    """A shard that this thread steps, and sleeps for where only a report can help."""

    def __init__(
        self,
        journal: Journal,
        limits: Limits,
        inputs: Sequence[Input] = (),
        application: Application = workload.application,
        snapshots: ProcessSnapshots | None = None,
    ) -> None:
        self.core = ExecutorCore(application, Shard(JOURNAL_ID, 0, 1), limits)
        writer = JournalWriter(Reader(JOURNAL_ID, 0, 1), limits.pending_frames_max)
        made = None if snapshots is None else snapshots.of(application, self.core, writer)
        self.executor = ShardExecutor(
            self.core, journal, writer, Claimant("bench"), SystemWorld(), inputs, snapshots=made
        )
        self._reported = threading.Event()
        self.executor.on_report(self._reported.set)
        self.executor.on_arrival(self._reported.set)

    def serve(self) -> None:
        """Recover and claim; then tune the interpreter, as the runner does."""
        while self.executor.mode is not Mode.SERVING:
            self.step()
        tune_for_serving()

    def step(self) -> None:
        """One step, or a wait for a report."""
        self._reported.clear()
        if not self.executor.step() and not self.executor.has_work:
            self._reported.wait(0.01)
        if self.executor.error is not None:
            raise self.executor.error

    def close(self) -> None:
        """Let go of the writer."""
        self.executor.close()


def open_journal(kind: str, directory: Path) -> Journal:
    """A fresh journal of one shard: `memory` or `sqlite`."""
    return MemoryJournal(1) if kind == "memory" else SqliteJournal(directory, 1)


def percentile(sorted_values: Sequence[float], part: float) -> float:
    """The value below which this part (0 to 1) of them lies."""
    return sorted_values[min(len(sorted_values) - 1, int(len(sorted_values) * part))]

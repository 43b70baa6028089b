"""One process: real executors over its connections. All of its memory ends with it; what it has sent does not."""

from __future__ import annotations

from collections.abc import Callable

from shardlog.errors import ClockBehind, Corrupt
from shardlog.executor.core import ExecutorCore
from shardlog.executor.mode import Claimant, Mode
from shardlog.executor.requests import Waiting
from shardlog.executor.shard import ShardExecutor
from shardlog.executor.snapshotting import Snapshotting
from shardlog.executor.state import Shard
from shardlog.journal.reader import Reader
from shardlog.journal.writer import JournalWriter
from shardlog.relay.runner import Received
from shardlog.snapshots.store import ShardSnapshots
from shardlog.testing.simulation.bank import bank
from shardlog.testing.simulation.carrying import ProcessCarrier
from shardlog.testing.simulation.clock import ProcessWorld
from shardlog.testing.simulation.crashing import CrashPoints
from shardlog.testing.simulation.environment import JOURNAL, LIMITS, Environment
from shardlog.testing.simulation.feeds import ProcessFeed
from shardlog.testing.simulation.finding import Crashed, Finding
from shardlog.testing.simulation.journal import ProcessJournal
from shardlog.testing.simulation.snapshots import SETTINGS, ProcessBackground, ProcessObjects

EXPECTED_STOPS = (Corrupt, ClockBehind)
"""What a shard may stop with, since a fault of the simulation brings it about."""


class Process:
    """A process of an ordinal: `node-ORDINAL` is its name, and `number` tells it from others of the same name."""

    def __init__(self, environment: Environment, ordinal: int, number: int, received: Callable[[], Received]) -> None:
        """received: what all targets are known to have received."""
        faults, random = environment.faults, environment.random
        self.ordinal = ordinal
        self.name = f"node-{ordinal}"
        self.label = f"{self.name}#{number}"
        self.is_alive = True
        self.is_paused = False
        self.executors: dict[int, ShardExecutor] = {}
        self.cores: dict[int, ExecutorCore] = {}
        self.writers: dict[int, JournalWriter] = {}
        self._environment = environment
        self.crashes = CrashPoints(self.label, random, faults.boundary_crash, environment.trace)
        self.world = ProcessWorld(
            environment.clock, environment.nonces, int(random.uniform(-1, 1) * faults.skew_ms * 1000)
        )
        self._journal = ProcessJournal(environment.broker, self, self.crashes, random, environment.trace)
        self._inputs = [ProcessFeed(feed, self.crashes) for feed in environment.feeds]
        self.carrier = ProcessCarrier(
            environment, self._journal, self.crashes, self._inputs, received, self.world.monotonic_ms
        )
        self.background = ProcessBackground()
        self._objects = ProcessObjects(environment, self.crashes, self._meanwhile)
        self._snapshotting_shard = 0

    def serve(self, shard: int) -> None:
        """Begin to serve a shard."""
        shards = self._environment.plan.shards
        core = self.cores[shard] = ExecutorCore(bank, Shard(JOURNAL, shard, shards), LIMITS)
        writer = self.writers[shard] = JournalWriter(Reader(JOURNAL, shard, shards), LIMITS.pending_frames_max)
        assigned, ordinal = self._environment.assigned, self.ordinal
        initial = {name: aggregate.initial for name, aggregate in bank.aggregates.items()}
        snapshots = ShardSnapshots(self._objects, JOURNAL, shard, initial, SETTINGS.keep)
        self.executors[shard] = ShardExecutor(
            core,
            self._journal,
            writer,
            Claimant(self.name),
            self.world,
            self._inputs,
            is_assigned=lambda _: assigned[shard] == ordinal,
            sends=self.carrier,
            snapshots=Snapshotting(core, writer, snapshots, SETTINGS, self.background, self.world, "code"),
        )
        self._environment.trace.note(self.label, shard, "begins to serve")

    def step(self, shard: int) -> bool:
        """Let a shard do what it can do now. Raises Finding where it stops for a reason that no fault explains."""
        executor = self.executors[shard]
        before = executor.mode
        had_work = self.background.work is not None
        try:
            moved = executor.step()
        except Crashed:
            self.end()
            return True
        except EXPECTED_STOPS as error:
            moved = True
            self._stop(shard, error)
        except Exception as error:
            raise Finding(f"{self.label}, shard {shard}: {type(error).__name__}: {error}") from error
        if self.background.work is not None and not had_work:
            self._snapshotting_shard = shard
        if self.is_alive and executor.mode is not before:
            self._environment.trace.note(self.label, shard, "is %s%s", executor.mode.value, self._why(shard))
        return moved

    def work_in_background(self) -> bool:
        """Write the snapshot that is held, if there is one."""
        if self.background.work is None:
            return False
        if self.executors[self._snapshotting_shard].mode is Mode.STOPPED:
            self.background.drop()
            return False
        try:
            self.background.do()
        except Crashed:
            self.end()
        return True

    def carry(self) -> bool:
        """Let the relay do what it can do now."""
        try:
            return self.carrier.step()
        except Crashed:
            self.end()
            return True

    def _meanwhile(self) -> bool:
        """The build thread's turn while a snapshot is written; False where its shard has stopped."""
        random, shard = self._environment.random, self._snapshotting_shard
        for _ in range(random.randrange(4)):
            if random.random() < 0.5:
                self._environment.broker.step()
            self.step(random.choice(list(self.executors)))
            if not self.is_alive:
                raise Crashed("while a snapshot was written")
        return self.executors[shard].mode is not Mode.STOPPED

    def submit(self, shard: int, request: Waiting) -> None:
        """A request has come in."""
        try:
            self.executors[shard].submit(request)
        except Crashed:
            self.end()

    def end(self) -> None:
        """The process is gone, with all that it knew."""
        self.is_alive = False
        self.executors.clear()
        self.cores.clear()
        self.writers.clear()

    def _stop(self, shard: int, error: Exception) -> None:
        try:
            self.executors[shard].fail_for_good(error)
        except Crashed:
            self.end()

    def _why(self, shard: int) -> str:
        executor, writer = self.executors[shard], self.writers[shard]
        if executor.mode is Mode.SERVING:
            return f", epoch {writer.reader.epoch}"
        if executor.mode is Mode.BACKING_OFF:
            return f": {writer.reason}"
        return f": {executor.error}" if executor.error is not None else ""

"""Processes that keep projections: the real projector over a database that outlives them, and what must stand there."""

from __future__ import annotations

from collections.abc import Mapping

from shardlog.adapters.memory.projections import MemoryDatabase, MemoryProjectionStore
from shardlog.errors import CheckpointMoved, Corrupt, ShardlogError, StoreUnavailable
from shardlog.model.projection import Projection
from shardlog.ports.projections import Batch, DeadLetter, ProjectionStore, Stored
from shardlog.projector.runner import Projector
from shardlog.projector.worker import Limits
from shardlog.testing.simulation.bank import balances, bank
from shardlog.testing.simulation.books import Books
from shardlog.testing.simulation.crashing import CrashPoints
from shardlog.testing.simulation.environment import JOURNAL, Environment
from shardlog.testing.simulation.finding import Crashed, Finding
from shardlog.testing.simulation.journal import ProcessJournal

TABLES = ("balances", "totals")
LIMITS = Limits(batch_frames_max=6, write_attempts_max=2)
EXPECTED_STOPS = (CheckpointMoved, Corrupt, StoreUnavailable)
"""What a projection may stop with: another process was faster, or a fault of the simulation."""


class UnkindStore(ProjectionStore):
    """The store as one process has it: it may be unavailable, before or after it has written."""

    def __init__(self, environment: Environment, crashes: CrashPoints, store: ProjectionStore) -> None:
        self._environment = environment
        self._crashes = crashes
        self._store = store

    def prepare(self, projection: Projection) -> None:
        self._store.prepare(projection)

    def stored(self, projection: Projection) -> Stored:
        self._crashes.reach("before a read of checkpoints")
        return self._store.stored(projection)

    def write(self, batch: Batch, *, keep: bool = True) -> None:
        self._crashes.reach("before a projection's transaction")
        self._may_be_unavailable("nothing was written")
        self._store.write(batch, keep=keep)
        self._crashes.reach("after a projection's transaction")
        self._may_be_unavailable("the answer was lost")

    def dead_letters(self, projection: Projection) -> list[DeadLetter]:
        return self._store.dead_letters(projection)

    def drop(self, projection: Projection, rebuild_to: Mapping[int, int]) -> None:
        self._crashes.reach("before a rebuild")
        self._store.drop(projection, rebuild_to)

    def close(self) -> None:
        self._store.close()

    def _may_be_unavailable(self, why: str) -> None:
        if self._environment.happens(self._environment.faults.store_error):
            raise StoreUnavailable(why)


class ProjectionProcess:
    """One process with a projector. is_alive: also false where the projector has stopped; another one goes on."""

    def __init__(self, environment: Environment, database: MemoryDatabase, number: int) -> None:
        self.label = f"projector#{number}"
        self.is_alive = True
        self._environment = environment
        self._crashes = CrashPoints(
            self.label, environment.random, environment.faults.boundary_crash, environment.trace
        )
        self._store = UnkindStore(environment, self._crashes, MemoryProjectionStore(database))
        self._journal = ProcessJournal(environment.broker, self, self._crashes, environment.random, environment.trace)
        self._projector: Projector | None = None

    def step(self) -> bool:
        """Write one batch. Raises Finding where the projection stops for a reason that no fault explains."""
        try:
            if self._projector is None:
                self._projector = self._open()
            return self._projector.step() > 0
        except Crashed:
            self.is_alive = False
        except EXPECTED_STOPS as error:
            self.is_alive = False
            self._environment.trace.note(self.label, None, "stops: %s", error)
        except ShardlogError as error:
            raise Finding(f"{self.label}: {type(error).__name__}: {error}") from error
        return True

    def rebuild(self) -> None:
        """Drop the rows and begin again."""
        try:
            if self._projector is not None:
                self._environment.trace.note(self.label, None, "rebuilds")
                self._projector.rebuild(balances.name)
        except Crashed:
            self.is_alive = False
        except EXPECTED_STOPS as error:
            self.is_alive = False
            self._environment.trace.note(self.label, None, "stops: %s", error)

    def calm_down(self) -> None:
        """No more faults from here on."""
        self._crashes.chance = 0

    def _open(self) -> Projector:
        shards = self._environment.plan.shards
        return Projector(self._journal, JOURNAL, shards, bank, [balances], self._store, LIMITS, check_rows=True)


def check_projections(environment: Environment, database: MemoryDatabase, books: Books) -> None:
    """The rows are what a fresh build gives, and what the books say. Raises Finding."""
    fresh = MemoryDatabase()
    builder = ProjectionProcess(environment, fresh, 0)
    builder.calm_down()
    while builder.is_alive and builder.step():
        pass
    for table in TABLES:
        if database.rows(table) != fresh.rows(table):
            raise Finding(f"{table} holds {database.rows(table)}, and a fresh build gives {fresh.rows(table)}")
    wanted = [(id, balance, books.movements.get(id, 0)) for id, balance in sorted(books.balances.items())]
    if database.rows("balances") != wanted:
        raise Finding(f"balances holds {database.rows('balances')}, and the books say {wanted}")
    if letters := MemoryProjectionStore(database).dead_letters(balances):
        raise Finding(f"an event is a dead letter: {letters[0]}")

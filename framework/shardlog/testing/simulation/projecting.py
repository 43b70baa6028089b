"""Processes that keep projections: the real projector over a database that outlives them, and what must stand there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from shardlog.adapters.memory.projections import MemoryDatabase, MemoryProjectionStore
from shardlog.errors import BuildRefused, CheckpointMoved, Corrupt, ShardlogError, StoreUnavailable
from shardlog.ports.builds import Build, BuildKey, BuildRecord, Builds
from shardlog.ports.projections import Batch, DeadLetter, ProjectionStore, Stored, Stream
from shardlog.projector.choosing import kept_stored
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
EXPECTED_STOPS = (BuildRefused, CheckpointMoved, Corrupt, StoreUnavailable)
"""What a projection may stop with: another process was faster, or a fault of the simulation."""


class UnkindStore(ProjectionStore):
    """The store as one process has it: it may be unavailable, before or after it has written."""

    def __init__(self, environment: Environment, crashes: CrashPoints, store: ProjectionStore) -> None:
        self._environment = environment
        self._crashes = crashes
        self._store = store

    @property
    def builds(self) -> Builds:
        return UnkindBuilds(self._store.builds, self._crashes, self._may_be_unavailable)

    def prepare(self, build: Build) -> None:
        self._store.prepare(build)

    def stored(self, key: BuildKey) -> Stored:
        self._crashes.reach("before a read of checkpoints")
        return self._store.stored(key)

    def write(self, batch: Batch, *, keep: bool = True) -> None:
        self._crashes.reach("before a projection's transaction")
        self._may_be_unavailable("nothing was written")
        self._store.write(batch, keep=keep)
        self._crashes.reach("after a projection's transaction")
        self._may_be_unavailable("the answer was lost")

    def dead_letters(self, key: BuildKey, stream: Stream | None = None) -> list[DeadLetter]:
        return self._store.dead_letters(key, stream)

    def close(self) -> None:
        self._store.close()

    def _may_be_unavailable(self, why: str) -> None:
        if self._environment.happens(self._environment.faults.store_error):
            raise StoreUnavailable(why)


class UnkindBuilds(Builds):
    """The records of builds as one process has them: it may be killed around a change, and may not hear of it."""

    def __init__(self, builds: Builds, crashes: CrashPoints, may_be_unavailable: Callable[[str], None]) -> None:
        self._builds = builds
        self._crashes = crashes
        self._may_be_unavailable = may_be_unavailable

    def records(self, projection: str | None = None) -> Sequence[BuildRecord]:
        self._may_be_unavailable("the records of builds were not read")
        return self._builds.records(projection)

    def begin(self, build: Build, rebuild_to: Mapping[int, int]) -> BuildRecord:
        with self._around("a build begins"):
            return self._builds.begin(build, rebuild_to)

    def switch(self, key: BuildKey, ends: Mapping[int, int], *, behind_max: int | None = 0) -> None:
        with self._around("a switch"):
            self._builds.switch(key, ends, behind_max=behind_max)

    def drop(self, key: BuildKey) -> None:
        with self._around("a drop"):
            self._builds.drop(key)

    def pause(self, key: BuildKey, *, is_paused: bool) -> None:
        self._builds.pause(key, is_paused=is_paused)

    def resume(self, key: BuildKey) -> None:
        self._builds.resume(key)

    def note_stopped(self, key: BuildKey, why: str) -> None:
        self._builds.note_stopped(key, why)

    @contextmanager
    def _around(self, what: str) -> Iterator[None]:
        self._crashes.reach(f"before {what}")
        self._may_be_unavailable("nothing was done")
        yield
        self._crashes.reach(f"after {what}")
        self._may_be_unavailable("the answer was lost")


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
        """Begin to build the rows anew; the next steps build on, and the views switch at the end."""
        try:
            if self._projector is not None:
                self._environment.trace.note(self.label, None, "rebuilds")
                self._projector.begin_rebuild(balances.name)
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
        clock = self._environment.clock
        return Projector(
            self._journal,
            JOURNAL,
            shards,
            bank,
            [balances],
            self._store,
            LIMITS,
            check_rows=True,
            now_s=lambda: clock.ms / 1000,
        )


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
    if letters := kept_stored(MemoryProjectionStore(database), balances).letters:
        raise Finding(f"an event is a dead letter: {letters[0]}")

"""At every step of a store a chance that it fails, before or behind it, and several projectors at once: the rows, dead
letters and checkpoints are those of one projector that nothing happened to."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from random import Random
from typing import Any, TypeAlias

import pytest
import stamina

from shardlog import Event
from shardlog.adapters.memory.journal import MemoryJournal
from shardlog.adapters.memory.projections import MemoryDatabase, MemoryProjectionStore
from shardlog.adapters.sql import SqlProjectionStore
from shardlog.errors import CheckpointMoved, StoreUnavailable
from shardlog.ports.builds import Build, BuildKey, Builds
from shardlog.ports.projections import Batch, DeadLetter, ProjectionStore, Stored, Stream
from shardlog.projector.runner import Projector
from shardlog.projector.worker import Limits
from shardlog.testing.contracts.projections import ProjectionStoreContract
from tests.unit.projector.bank import Broken, Closed, Deposited, Opened, bank
from tests.unit.projector.log import JOURNAL, LogWriter

SHARDS = 4
FRAMES = 200
PROJECTORS = 3
CHANCE = 0.02
POISON = 13
TROUBLED = range(100, 200)
PASSING = (CheckpointMoved, StoreUnavailable)
Database: TypeAlias = "MemoryDatabase | Path"
KEY = BuildKey("balances", 1, 1)


class FrailStore(ProjectionStore):
    """A store that is unavailable with a chance at each step, before it has done it or behind.

    waits: whether it is written to beside, as if it waited for a server.
    """

    def __init__(self, store: ProjectionStore, random: Random, chance: float, *, waits: bool = False) -> None:
        self.failures = 0
        self.chance = chance
        self._waits = waits
        self._store = store
        self._random = random

    @property
    def builds(self) -> Builds:
        return self._store.builds

    @property
    def waits_for_server(self) -> bool:
        return self._waits

    def prepare(self, build: Build) -> None:
        self._may_fail("before")
        self._store.prepare(build)

    def stored(self, key: BuildKey) -> Stored:
        self._may_fail("before")
        stored = self._store.stored(key)
        self._may_fail("behind")
        return stored

    def write(self, batch: Batch, *, keep: bool = True) -> None:
        self._may_fail("before")
        self._store.write(batch, keep=keep)
        self._may_fail("behind")

    def dead_letters(self, key: BuildKey, stream: Stream | None = None) -> list[DeadLetter]:
        return self._store.dead_letters(key, stream)

    def close(self) -> None:
        self._store.close()

    def _may_fail(self, where: str) -> None:
        if self._random.random() < self.chance:
            self.failures += 1
            raise StoreUnavailable(f"it failed {where} the step")


class TestFrailStore(ProjectionStoreContract):
    """Where nothing fails, it is a store like any other."""

    @pytest.fixture(autouse=True)
    def _database(self) -> None:
        self.database = MemoryDatabase()

    def open(self) -> ProjectionStore:
        return FrailStore(MemoryProjectionStore(self.database), Random(0), 0.0)

    def rows(self, table: str) -> list[tuple[object, ...]]:
        return self.database.rows(table)


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=100, cap=True):
        yield


def written_log(random: Random) -> LogWriter:
    log = LogWriter(MemoryJournal(SHARDS), SHARDS)
    for _ in range(FRAMES):
        id = f"l{random.randrange(40)}:a"
        events: list[Event] = [Deposited(amount=random.randrange(20, 1_000)) for _ in range(random.randrange(1, 5))]
        events.append(random.choice([Opened(owner="ann"), Closed(), Deposited(amount=5)]))
        log.happened(*[(id, event) for event in events], (f"p{random.randrange(3)}:a", Deposited(amount=POISON)))
    return log


def projector(log: LogWriter, store: ProjectionStore, broken: Broken, frames_max: int) -> Projector:
    application, balances = bank(broken)
    limits = Limits(batch_frames_max=frames_max, write_attempts_max=3, turn_ms=10_000)
    return Projector(log.journal, JOURNAL, SHARDS, application, [balances], store, limits)


def contents(database: Database, store: ProjectionStore) -> dict[str, Any]:
    rows = {table: rows_of(database, table) for table in ("balances", "totals")}
    return {**rows, "letters": store.dead_letters(KEY), "checkpoints": store.stored(KEY).checkpoints}


def rows_of(database: Database, table: str) -> list[tuple[object, ...]]:
    if isinstance(database, MemoryDatabase):
        return database.rows(table)
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(f'SELECT * FROM "{table}" ORDER BY 1').fetchall()


def in_memory(_directory: Path, _name: str) -> tuple[Database, ProjectionStore]:
    database = MemoryDatabase()
    return database, MemoryProjectionStore(database)


def on_sqlite(directory: Path, name: str) -> tuple[Database, ProjectionStore]:
    return directory / name, SqlProjectionStore(directory / name)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("opened", [in_memory, on_sqlite])
@pytest.mark.parametrize("waits", [False, True], ids=["in-turn", "beside"])
def test_what_fails_at_any_step_leaves_no_trace(
    opened: Callable[[Path, str], tuple[Database, ProjectionStore]], seed: int, waits: bool, tmp_path: Path
) -> None:
    random, turns, broken = Random(seed), Random(seed), Broken()
    broken.raises_for = {POISON}
    log = written_log(random)
    database, plain = opened(tmp_path, "unkind.sqlite")
    store = FrailStore(plain, random, CHANCE, waits=waits)
    at_work: list[Projector] = []
    while not at_work or at_work[0].behind():
        if len(at_work) < PROJECTORS or random.random() < CHANCE:  # killed, and another one in its place
            at_work = [*at_work, projector(log, store, broken, random.randrange(1, 20))][-PROJECTORS:]
        if random.random() < CHANCE:
            broken.raises_for ^= set(TROUBLED)
        one = random.choice(at_work)
        try:
            one.step(lambda: turns.random() < 0.7)
        except PASSING:
            with suppress(*PASSING):
                one.resume("balances")
        at_work.sort(key=lambda each: each.behind())
    broken.raises_for, store.chance = {POISON}, 0.0
    settled = projector(log, store, broken, 1_000)
    settled.drain()
    letters = settled.dead_letters("balances")
    for stream in sorted({(x.category, x.id) for x in letters.letters() if not x.id.startswith("p")}):
        letters.retry(*stream)
    whole, undisturbed = opened(tmp_path, "kind.sqlite")
    projector(log, undisturbed, broken, 50).drain()
    assert store.failures
    assert contents(database, store) == contents(whole, undisturbed)
    assert len(letters.letters()) > 10
    plain.close()
    undisturbed.close()

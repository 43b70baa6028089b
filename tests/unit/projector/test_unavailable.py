"""What passes by itself is waited for; what another worker has done meanwhile is respected."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from time import monotonic

import pytest
import stamina

from shardlog import put
from shardlog.adapters.memory.journal import MemoryJournal
from shardlog.adapters.sql import SqlProjectionStore
from shardlog.errors import CheckpointMoved, Corrupt, JournalUnavailable, RowsRefused, StoreUnavailable
from shardlog.ports.builds import Build, BuildKey, Builds
from shardlog.ports.projections import Batch, DeadLetter, ProjectionStore, Stored, Stream
from shardlog.projector.runner import Projector
from shardlog.projector.worker import Limits
from shardlog.testing.contracts.projections import ProjectionStoreContract
from tests.unit.projector.bank import Balance, Broken, Deposited, Opened, bank
from tests.unit.projector.log import JOURNAL, LogWriter

SHARDS = 4


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    """Retries follow each other at once, as many as the limits say."""
    with stamina.set_testing(True, attempts=100, cap=True):
        yield


class LossyStore(ProjectionStore):
    """A store whose connection is lost before a write, or after its commit, as often as is asked for."""

    def __init__(self, store: ProjectionStore) -> None:
        self.store = store
        self.lost_before = 0
        self.lost_after = 0
        self.before_write: list[object] = []

    @property
    def builds(self) -> Builds:
        return self.store.builds

    def prepare(self, build: Build) -> None:
        self.store.prepare(build)

    def stored(self, key: BuildKey) -> Stored:
        return self.store.stored(key)

    def write(self, batch: Batch, *, keep: bool = True) -> None:
        if self.lost_before:
            self.lost_before -= 1
            raise StoreUnavailable("lost before")
        while self.before_write:
            action = self.before_write.pop()
            assert callable(action)
            action()
        self.store.write(batch, keep=keep)
        if self.lost_after:
            self.lost_after -= 1
            raise StoreUnavailable("lost after")

    def dead_letters(self, key: BuildKey, stream: Stream | None = None) -> list[DeadLetter]:
        return self.store.dead_letters(key, stream)

    def close(self) -> None:
        self.store.close()


class TestLossyStore(ProjectionStoreContract):
    """Where nothing is lost, it is a store like any other."""

    @pytest.fixture(autouse=True)
    def _database(self, tmp_path: Path) -> None:
        self.path = tmp_path / "projections.sqlite"

    def open(self) -> ProjectionStore:
        return LossyStore(SqlProjectionStore(self.path))

    def rows(self, table: str) -> list[tuple[object, ...]]:
        connection = sqlite3.connect(self.path)
        try:
            return connection.execute(f'SELECT * FROM "{table}" ORDER BY 1, 2').fetchall()
        finally:
            connection.close()


@pytest.fixture
def log() -> LogWriter:
    return LogWriter(MemoryJournal(SHARDS), SHARDS)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LossyStore]:
    store = LossyStore(SqlProjectionStore(tmp_path / "projections.sqlite", lock_wait_ms=0))
    yield store
    store.close()


def serve(
    log: LogWriter,
    store: ProjectionStore,
    broken: Broken | None = None,
    attempts: int = 5,
    now_s: Callable[[], float] = monotonic,
) -> Projector:
    application, balances = bank(broken)
    limits = Limits(write_attempts_max=attempts)
    return Projector(log.journal, JOURNAL, SHARDS, application, [balances], store, limits, now_s=now_s)


def balances(tmp_path: Path) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(tmp_path / "projections.sqlite")
    try:
        return connection.execute("SELECT * FROM balances ORDER BY 1").fetchall()
    finally:
        connection.close()


def test_a_batch_is_written_again_while_the_store_is_unavailable(
    log: LogWriter, store: LossyStore, tmp_path: Path
) -> None:
    log.happened(("a:1", Opened(owner="ann")), ("a:1", Deposited(amount=5)))
    store.lost_before = 4
    serve(log, store).drain()
    assert balances(tmp_path) == [("a:1", "ann", 5, 1)]


def test_a_store_that_stays_unavailable_stops_the_projection_until_it_is_resumed(
    log: LogWriter, store: LossyStore, tmp_path: Path
) -> None:
    log.happened(("a:1", Opened(owner="ann")))
    projector = serve(log, store)
    store.lost_before = 5
    with pytest.raises(StoreUnavailable):
        projector.drain()
    projector.resume("balances")
    projector.drain()
    assert balances(tmp_path) == [("a:1", "ann", 0, 0)]


def test_a_projection_that_stopped_as_the_store_stayed_away_goes_on_by_itself_when_it_answers(
    log: LogWriter, store: LossyStore, tmp_path: Path
) -> None:
    log.happened(("a:1", Opened(owner="ann")))
    now_s = 0.0
    projector = serve(log, store, now_s=lambda: now_s)
    store.lost_before = 5
    with pytest.raises(StoreUnavailable):
        projector.drain()
    with pytest.raises(StoreUnavailable):
        projector.step()
    now_s = 2.0
    projector.drain()
    assert projector.stopped == {}
    assert store.builds.records()[0].stopped == ""
    assert balances(tmp_path) == [("a:1", "ann", 0, 0)]


def test_a_commit_whose_answer_is_lost_counts_once(log: LogWriter, store: LossyStore, tmp_path: Path) -> None:
    log.happened(("a:1", Opened(owner="ann")), ("a:1", Deposited(amount=5)))
    projector = serve(log, store)
    store.lost_after = 1
    projector.drain()
    log.happened(("a:1", Deposited(amount=6)))
    projector.drain()
    assert balances(tmp_path) == [("a:1", "ann", 11, 2)]


def test_a_database_locked_by_another_process_is_waited_for(log: LogWriter, store: LossyStore, tmp_path: Path) -> None:
    log.happened(("a:1", Opened(owner="ann")))
    projector = serve(log, store)
    other = sqlite3.connect(tmp_path / "projections.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked"):
        projector.drain()
    other.execute("ROLLBACK")
    other.close()
    projector.resume("balances")
    projector.drain()
    assert len(balances(tmp_path)) == 1


def test_dead_letters_settled_by_another_while_a_batch_is_planned_are_respected(
    log: LogWriter, store: LossyStore, tmp_path: Path
) -> None:
    broken = Broken()
    broken.raises_for = {13}
    log.happened(("a:1", Opened(owner="ann")), ("a:1", Deposited(amount=13)))
    projector = serve(log, store, broken)
    projector.drain()
    broken.raises_for = set()
    elsewhere = serve(log, SqlProjectionStore(tmp_path / "projections.sqlite"), broken)
    store.before_write.append(lambda: elsewhere.dead_letters("balances").retry("account", "a:1"))
    log.happened(("a:1", Deposited(amount=1)))
    projector.drain()
    assert balances(tmp_path) == [("a:1", "ann", 14, 2)]
    assert projector.dead_letters("balances").letters() == []


def test_dead_letters_settled_by_another_while_an_event_at_fault_is_looked_for_are_respected(
    log: LogWriter, store: LossyStore, tmp_path: Path
) -> None:
    broken = Broken()
    broken.raises_for, broken.strange_for = {13}, {66: put(Balance(account="a:2", owner=None))}  # type: ignore[arg-type]  # a misfit
    log.happened(("a:1", Opened(owner="ann")), ("a:1", Deposited(amount=13)), ("a:2", Opened(owner="bob")))
    assert log.shard_of("a:1") == log.shard_of("a:2")
    projector = serve(log, store, broken)
    projector.drain()
    broken.raises_for = set()
    elsewhere = serve(log, SqlProjectionStore(tmp_path / "projections.sqlite"), broken)
    store.before_write.append(lambda: elsewhere.dead_letters("balances").retry("account", "a:1"))
    log.happened(("a:1", Deposited(amount=1)), ("a:2", Deposited(amount=2)), ("a:2", Deposited(amount=66)))
    projector.drain()
    assert balances(tmp_path) == [("a:1", "ann", 14, 2), ("a:2", "bob", 2, 1)]
    assert [letter.id for letter in projector.dead_letters("balances").letters()] == ["a:2"]


def test_a_worker_whose_checkpoint_another_moves_while_it_writes_is_refused(
    log: LogWriter, store: LossyStore, tmp_path: Path
) -> None:
    log.happened(("a:1", Opened(owner="ann")), ("a:1", Deposited(amount=5)))
    projector = serve(log, store)
    elsewhere = serve(log, SqlProjectionStore(tmp_path / "projections.sqlite"))
    store.before_write.append(elsewhere.drain)
    with pytest.raises(CheckpointMoved, match="another worker has moved it"):
        projector.drain()
    assert balances(tmp_path) == [("a:1", "ann", 5, 1)]


class TornJournal(MemoryJournal):
    """A record of it cannot be read."""

    torn: tuple[int, int] | None = None

    def read(self, shard: int, start: int) -> Iterator[tuple[int, bytes]]:
        for offset, value in super().read(shard, start):
            if (shard, offset) == self.torn:
                raise Corrupt(shard, offset, "the value and its checksum disagree")
            yield offset, value


def test_a_record_that_cannot_be_read_stops_the_projection_behind_all_that_can(
    store: LossyStore, tmp_path: Path
) -> None:
    journal = TornJournal(SHARDS)
    log = LogWriter(journal, SHARDS)
    log.happened(("a:1", Opened(owner="ann")), ("a:1", Deposited(amount=5)))
    (offset,) = log.happened(("a:1", Deposited(amount=6)))
    log.happened(("a:1", Deposited(amount=7)))
    journal.torn = (log.shard_of("a:1"), offset)
    projector = serve(log, store)
    with pytest.raises(Corrupt, match=f"offset {offset}"):
        projector.drain()
    assert balances(tmp_path) == [("a:1", "ann", 5, 1)]
    journal.torn = None
    projector.resume("balances")
    projector.drain()
    assert balances(tmp_path) == [("a:1", "ann", 18, 3)]


class AwayJournal(MemoryJournal):
    """Its brokers answer for a shard's end, and give no records of it."""

    is_away = False

    def read(self, shard: int, start: int) -> Iterator[tuple[int, bytes]]:
        if self.is_away:
            raise JournalUnavailable("no broker answers")
        return super().read(shard, start)


def test_a_journal_that_is_away_stops_no_projection(store: LossyStore, tmp_path: Path) -> None:
    journal = AwayJournal(SHARDS)
    log = LogWriter(journal, SHARDS)
    projector = serve(log, store)
    log.happened(("a:1", Opened(owner="ann")), ("a:1", Deposited(amount=5)))
    journal.is_away = True
    with pytest.raises(JournalUnavailable):
        projector.drain()
    assert projector.stopped == {}
    journal.is_away = False
    projector.drain()
    assert balances(tmp_path) == [("a:1", "ann", 5, 1)]


class FickleStore(LossyStore):
    """It refuses what is to stay, and takes the same where it is only tried. refusals: so often."""

    refusals = 0

    def write(self, batch: Batch, *, keep: bool = True) -> None:
        if keep and self.refusals:
            self.refusals -= 1
            raise RowsRefused("not these.")
        super().write(batch, keep=keep)


def test_rows_that_are_refused_only_where_they_are_to_stay_stop_the_projection_and_condemn_no_event(
    log: LogWriter, tmp_path: Path
) -> None:
    with closing(FickleStore(SqlProjectionStore(tmp_path / "projections.sqlite"))) as store:
        projector = serve(log, store)
        projector.drain()
        (offset,) = log.happened(("a:1", Opened(owner="ann")))
        store.refusals = 10**9
        with pytest.raises(RowsRefused, match=rf"shard {log.shard_of('a:1')}, offset {offset} were refused 11 times"):
            projector.step()
        assert store.dead_letters(BuildKey("balances", 1, 1)) == []
        store.refusals = 0
        projector.resume("balances")
        projector.drain()
        store.refusals = 11  # the batch, and then as often as it is planned anew
        log.happened(("a:1", Deposited(amount=5)))
        projector.drain()
        assert store.dead_letters(BuildKey("balances", 1, 1)) == []
    assert balances(tmp_path) == [("a:1", "ann", 5, 1)]


def test_run_serves_until_it_is_told_to_stop(log: LogWriter, store: LossyStore, tmp_path: Path) -> None:
    projector = serve(log, store)
    stop = threading.Event()
    thread = threading.Thread(target=projector.run, args=(stop, 1))
    thread.start()
    log.happened(("a:1", Opened(owner="ann")))
    caught_up = threading.Event()
    while projector.behind():
        caught_up.wait(0.001)
    stop.set()
    thread.join(10)
    assert not thread.is_alive()
    assert len(balances(tmp_path)) == 1

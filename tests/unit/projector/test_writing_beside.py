"""Where a server keeps the rows, the next batch is heard while one is written, and nothing but the time shows it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from math import inf
from pathlib import Path

import pytest
import stamina

from shardlog import Application, Batch, Changes, Domain, Event, Projection, Recorded, increment, put
from shardlog.adapters.memory.journal import MemoryJournal
from shardlog.adapters.memory.projections import MemoryDatabase, MemoryProjectionStore
from shardlog.adapters.sql import SqlProjectionStore
from shardlog.errors import CheckpointMoved, JournalUnavailable, RowsRefused, StoreUnavailable, UnknownFormat
from shardlog.ports import projections as port
from shardlog.ports.builds import BuildKey
from shardlog.projector.runner import Projector
from shardlog.projector.worker import Limits
from shardlog.testing.contracts.projections import ProjectionStoreContract
from shardlog.wiring.projection_thread import ProjectionThread
from shardlog.wiring.taken_over import TakenOver
from tests.unit.projector.bank import Broken, Deposited, Opened, Total, account, bank
from tests.unit.projector.histories import Opening, put_opened
from tests.unit.projector.log import JOURNAL, LogWriter

SHARDS = 4
PATIENT_SECONDS = 20.0
POISON = 13
MISFIT = 14
KEY = BuildKey("balances", 1, 1)


class ServerStore(MemoryProjectionStore):
    """In memory, as if it waited for a server. before, behind: what happens at each write, and at its end."""

    def __init__(self, database: MemoryDatabase) -> None:
        super().__init__(database)
        self.before: Callable[[port.Batch], object] = lambda batch: None
        self.behind: Callable[[], object] = lambda: None

    @property
    def waits_for_server(self) -> bool:
        return True

    def write(self, batch: port.Batch, *, keep: bool = True) -> None:
        self.before(batch)
        super().write(batch, keep=keep)
        self.behind()


class TestServerStore(ProjectionStoreContract):
    """Where nothing happens, it is a store like any other."""

    @pytest.fixture(autouse=True)
    def _database(self) -> None:
        self.database = MemoryDatabase()

    def open(self) -> port.ProjectionStore:
        return ServerStore(self.database)

    def rows(self, table: str) -> list[tuple[object, ...]]:
        return self.database.rows(table)


class Diary:
    """A projection that says what it hears. heard: set as an amount is. hears: called before.

    wrote_in: the threads in which its handler of batches has written.
    """

    def __init__(self, *, writes_batches: bool = False) -> None:
        self.wrote_in: list[threading.Thread] = []
        self.hears: Callable[[int], object] = lambda amount: None
        self.heard = {amount: threading.Event() for amount in range(1, 4)}
        self.projection = counted = Projection("counters", rows=[Total])
        if writes_batches:
            counted.batch(self.write)
        counted.on(self.count)
        self.application = Application([Domain("bank", aggregates=[account])], [counted])

    def count(self, event: Deposited, recorded: Recorded) -> Changes:
        self.hears(event.amount)
        self.heard[event.amount].set()
        return increment(Total, "deposited", events=1, amount=event.amount)

    def write(self, batch: Batch[Opened]) -> None:
        """The application's own, and perhaps it shares something with its other handlers."""
        self.wrote_in.append(threading.current_thread())


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=100, cap=True):
        yield


@pytest.fixture
def log() -> LogWriter:
    """Of one shard, with three deposits of 1, 2 and 3, a frame each behind the claim."""
    log = LogWriter(MemoryJournal(1), 1)
    for amount in (1, 2, 3):
        log.happened(("a:1", Deposited(amount=amount)))
    return log


@pytest.fixture
def database() -> MemoryDatabase:
    return MemoryDatabase()


@pytest.fixture
def store(database: MemoryDatabase) -> ServerStore:
    return ServerStore(database)


def serve(log: LogWriter, store: port.ProjectionStore, diary: Diary | None = None, turn_ms: int = 10_000) -> Projector:
    """A record a batch."""
    limits, diary = Limits(batch_frames_max=1, turn_ms=turn_ms), diary or Diary()
    return Projector(log.journal, JOURNAL, 1, diary.application, [diary.projection], store, limits)


def test_the_next_batch_is_heard_while_one_is_written(
    log: LogWriter, store: ServerStore, database: MemoryDatabase
) -> None:
    diary = Diary()
    projector = serve(log, store, diary)
    begun = [threading.Event() for _batch in range(4)]
    to_be_written = list(begun)
    met: list[bool] = []

    def write(_batch: port.Batch) -> None:
        place = len(begun) - len(to_be_written)
        to_be_written.pop(0).set()
        if to_be_written:
            met.append(diary.heard[place + 1].wait(PATIENT_SECONDS))

    store.before = write
    diary.hears = lambda amount: met.append(begun[amount - 1].wait(PATIENT_SECONDS))
    assert projector.step() == 4
    assert met == [True] * 6
    assert database.rows("totals") == [("deposited", 3, 6)]


class SqlServerStore(SqlProjectionStore):
    """In a file, as if it waited for a server."""

    @property
    def waits_for_server(self) -> bool:
        return True


def test_handlers_of_batches_write_alone_in_the_thread_that_steps(log: LogWriter, tmp_path: Path) -> None:
    log.happened(("a:1", Opened(owner="ann")), ("a:2", Opened(owner="bob")))
    diary = Diary(writes_batches=True)
    with closing(SqlServerStore(tmp_path / "rows.sqlite")) as store:
        projector = serve(log, store, diary)
        assert [projector.step() for _ in range(6)] == [1, 1, 1, 1, 1, 0]
    assert diary.wrote_in == [threading.current_thread()]


@pytest.mark.parametrize("batches", [1, 2, 3])
def test_no_batch_begins_where_a_turn_is_to_end(log: LogWriter, store: ServerStore, batches: int) -> None:
    projector = serve(log, store)
    written: list[port.Batch] = []
    store.before = written.append
    assert projector.step(lambda: len(written) < batches) == batches
    assert projector.drain() == 4 - batches


@pytest.mark.parametrize("ends", [ProjectionThread.end, lambda thread: thread.hold((), inf)], ids=["end", "hold"])
def test_a_thread_that_is_to_end_or_to_give_its_shards_back_begins_no_more_batches(
    log: LogWriter, store: ServerStore, database: MemoryDatabase, ends: Callable[[ProjectionThread], None]
) -> None:
    thread = ProjectionThread(["counters"], serve(log, store), JOURNAL)
    writing = threading.Event()

    def end(_batch: port.Batch) -> None:
        ends(thread)
        writing.set()

    store.before = end
    thread.start()
    assert writing.wait(PATIENT_SECONDS)
    with thread.paused():  # the turn is over
        assert database.rows("totals") == []
    thread.end()
    thread.join()


def test_a_turn_of_no_time_is_one_batch(log: LogWriter, store: ServerStore) -> None:
    projector = serve(log, store, turn_ms=0)
    assert [projector.step() for _ in range(5)] == [1, 1, 1, 1, 0]


def test_a_server_that_is_away_for_a_while_is_waited_for_beside(
    log: LogWriter, store: ServerStore, database: MemoryDatabase
) -> None:
    faults = [StoreUnavailable("lost before"), None, StoreUnavailable("lost again"), None]
    answers_lost = [None, StoreUnavailable("its answer was lost")]

    def fail(of: list[StoreUnavailable | None]) -> None:
        error = of.pop() if of else None
        if error is not None:
            raise error

    projector = serve(log, store)
    store.before, store.behind = lambda _: fail(faults), lambda: fail(answers_lost)
    projector.drain()
    assert (faults, answers_lost) == ([], [])
    assert projector.stopped == {}
    assert database.rows("totals") == [("deposited", 3, 6)]


def test_what_was_heard_behind_a_batch_that_another_worker_has_written_counts_for_nothing(
    log: LogWriter, store: ServerStore, database: MemoryDatabase
) -> None:
    other = serve(log, ServerStore(database), turn_ms=0)
    projector = serve(log, store)
    overtaken = False

    def overtake(_batch: port.Batch) -> None:
        nonlocal overtaken
        if not overtaken:
            overtaken = True
            other.step()

    store.before = overtake
    with pytest.raises(CheckpointMoved):
        projector.step()
    assert database.rows("totals") == []
    projector.resume("counters")
    projector.drain()
    assert database.rows("totals") == [("deposited", 3, 6)]


class AwayJournal(MemoryJournal):
    """Reads nothing from `away_from` on."""

    away_from: int | None = None

    def read(self, shard: int, start: int = 0) -> Iterator[tuple[int, bytes]]:
        for offset, value in super().read(shard, start):
            if self.away_from is not None and offset >= self.away_from:
                raise JournalUnavailable("no broker answers")
            yield offset, value


def test_a_journal_that_goes_away_between_two_batches_stops_nothing(
    store: ServerStore, database: MemoryDatabase
) -> None:
    journal = AwayJournal(1)
    log = LogWriter(journal, 1)
    for amount in (1, 2, 3):
        log.happened(("a:1", Deposited(amount=amount)))
    projector = serve(log, store)
    journal.away_from = 3
    assert projector.step() == 3
    assert database.rows("totals") == [("deposited", 2, 3)]
    with pytest.raises(JournalUnavailable):
        projector.step()
    assert projector.stopped == {}
    journal.away_from = None
    assert projector.step() == 1
    assert database.rows("totals") == [("deposited", 3, 6)]


class Unknown(Event):
    """Of no application here."""


def test_a_frame_that_does_not_decode_stops_the_projection_behind_all_that_do(
    log: LogWriter, store: ServerStore, database: MemoryDatabase
) -> None:
    (offset,) = log.happened(("a:1", Unknown()))
    log.happened(("a:1", Deposited(amount=1)))
    projector = serve(log, store)
    with pytest.raises(UnknownFormat, match=f"offset {offset}"):
        projector.drain()
    assert database.rows("totals") == [("deposited", 3, 6)]


def test_of_projections_at_one_position_one_is_refused_and_all_have_their_rows(
    log: LogWriter, store: ServerStore, database: MemoryDatabase
) -> None:
    log.happened(("b:1", Opened(owner="misfit")), ("b:1", Deposited(amount=1)))
    log.happened(("b:1", Deposited(amount=2)), ("b:2", Opened(owner="fit")))
    application, balances = bank()
    openings = Projection("openings", rows=[Opening])
    openings.on(put_opened)
    store.before = refuse_balances
    both, limits = [balances, openings], Limits(batch_frames_max=1, turn_ms=10_000)
    Projector(log.journal, JOURNAL, 1, application, both, store, limits).drain()
    assert database.rows("openings") == [("b:1", "misfit"), ("b:2", "fit")]
    assert database.rows("balances") == [("b:2", "fit", 0, 0)]
    assert [letter.state for letter in store.dead_letters(KEY)] == ["failed", "parked", "parked"]


def refuse_balances(batch: port.Batch) -> None:
    if batch.build.name == "balances":
        refuse_misfits(batch)


def test_only_shards_that_another_has_moved_count_as_moved(caplog: pytest.LogCaptureFixture) -> None:
    log, database = LogWriter(MemoryJournal(SHARDS), SHARDS), MemoryDatabase()
    for amount in range(1, 13):
        log.happened((f"l{amount % 4}:a", Deposited(amount=1 + amount % 3)))
    store, taken, diary = ServerStore(database), TakenOver("counters", JOURNAL), Diary()
    limits, projections = Limits(batch_frames_max=SHARDS, turn_ms=10_000), [diary.projection]
    about = (log.journal, JOURNAL, SHARDS, diary.application, projections)
    (shard,) = {log.shard_of("l1:a")}
    here = Projector(*about, store, limits, passes=taken.passes)
    other = Projector(*about, ServerStore(database), limits, serves=[shard])
    writes = 0

    def overtake(_batch: port.Batch) -> None:
        nonlocal writes
        writes += 1
        if writes == 2:
            other.resume("counters") if other.stopped else other.assign([shard])
            other.drain()

    store.before = overtake
    with pytest.raises(CheckpointMoved):
        here.step()
    assert taken.goes_on(here, here.stopped["counters"]) == 0.0
    told = [record.shard for record in caplog.records if "another process wrote" in record.message]  # type: ignore[attr-defined]  # a field of ours
    assert told == [shard]
    here.drain()
    assert database.rows("totals") == [("deposited", 12, 24)]


def test_run_ends_within_a_turn(log: LogWriter, store: ServerStore, database: MemoryDatabase) -> None:
    stop = threading.Event()
    store.before = lambda _: stop.set()
    serve(log, store).run(stop)
    assert database.rows("totals") == []


def test_a_turn_ends_where_builds_are_to_be_looked_at(
    log: LogWriter, store: ServerStore, database: MemoryDatabase
) -> None:
    now_s = 0.0

    def pass_time(_batch: port.Batch) -> None:
        nonlocal now_s
        now_s += 1.0

    diary, limits = Diary(), Limits(batch_frames_max=1, turn_ms=10_000)
    about = (log.journal, JOURNAL, 1, diary.application, [diary.projection])
    projector = Projector(*about, store, limits, now_s=lambda: now_s)
    store.before = pass_time
    assert [projector.step() for _ in range(5)] == [1, 1, 1, 1, 0]


def refuse_misfits(batch: port.Batch) -> None:
    """As a database does that knows more about a column than its row class."""
    if any("misfit" in row for changes in batch.tables for row in changes.puts):
        raise RowsRefused("no owner is called that")


@pytest.mark.parametrize("frames_max", [1, 2, 5])
def test_dead_letters_are_those_of_one_batch_after_the_other(frames_max: int) -> None:
    log = LogWriter(MemoryJournal(SHARDS), SHARDS)
    for amount in range(1, 40):
        log.happened((f"o{amount % 4}:a", Opened(owner="misfit" if amount == 5 else "fit")))
        log.happened((f"o{amount % 4}:a", Deposited(amount=1)))
        log.happened(*((f"l{stream}:a", Deposited(amount=amount)) for stream in range(7) if (amount + stream) % 3))
    kept = []
    for turn_ms in (0, 10_000):
        broken = Broken()
        broken.raises_for, broken.strange_for = {POISON}, {MISFIT: put(Total(kind="x", events=2**64))}
        application, balances = bank(broken)
        database = MemoryDatabase()
        store, limits = ServerStore(database), Limits(batch_frames_max=frames_max, turn_ms=turn_ms)
        store.before = refuse_misfits
        Projector(log.journal, JOURNAL, SHARDS, application, [balances], store, limits).drain()
        letters = [(x.position, x.state, x.error) for x in store.dead_letters(KEY)]
        kept.append((database.rows("balances"), database.rows("totals"), letters, store.stored(KEY).checkpoints))
    assert kept[0] == kept[1]
    states = [state for _, state, _ in kept[0][2]]
    assert states.count("failed") == 7 + 1
    assert states.count("parked") > 50

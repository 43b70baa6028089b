"""The projections' thread outlives what stops a projection, says it once, and goes on after the repair."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shardlog.adapters.memory.journal import MemoryJournal
from shardlog.adapters.sql import SqlProjectionStore
from shardlog.errors import DeadLettersFull, HandlerFailed, JournalError, TableMismatch
from shardlog.projector.worker import Limits
from shardlog.wiring.projecting import ProjectionThreads
from tests.unit.projector.bank import Broken, Deposited, Opened, bank
from tests.unit.projector.log import JOURNAL, LogWriter

SHARDS = 4
SECONDS = 30.0
Serve = Callable[..., ProjectionThreads]


class Unreliable(MemoryJournal):
    """Sometimes it cannot be asked for its ends."""

    fault: Exception | None = None
    asked = 0

    def offsets(self, shard: int) -> tuple[int, int]:
        self.asked += 1
        if self.fault is not None:
            raise self.fault
        return super().offsets(shard)


@pytest.fixture
def journal() -> Unreliable:
    return Unreliable(SHARDS)


@pytest.fixture
def log(journal: Unreliable) -> LogWriter:
    return LogWriter(journal, SHARDS)


@pytest.fixture
def broken() -> Broken:
    return Broken()


@pytest.fixture
def serve(log: LogWriter, tmp_path: Path, broken: Broken) -> Iterator[Serve]:
    started: list[tuple[ProjectionThreads, SqlProjectionStore]] = []

    def begin(limits: Limits | None = None) -> ProjectionThreads:
        store = SqlProjectionStore(tmp_path / "projections.sqlite")
        thread = ProjectionThreads(log.journal, JOURNAL, SHARDS, bank(broken)[0], store, limits)
        started.append((thread, store))
        thread.start()
        return thread

    yield begin
    for thread, store in started:
        thread.stop()
        store.close()


def balances(tmp_path: Path) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(tmp_path / "projections.sqlite")
    try:
        return connection.execute("SELECT * FROM balances ORDER BY 1").fetchall()
    finally:
        connection.close()


def change_by_hand(tmp_path: Path, statement: str) -> None:
    connection = sqlite3.connect(tmp_path / "projections.sqlite", isolation_level=None, timeout=SECONDS)
    connection.execute(statement)
    connection.close()


def test_a_projection_that_stopped_goes_on_when_it_is_resumed(
    log: LogWriter,
    journal: Unreliable,
    serve: Serve,
    broken: Broken,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken.raises_for = {13}
    thread = serve(Limits(dead_letters_max=0))
    log.happened(("a:1", Opened(owner="ann")))
    thread.wait_until_caught_up(SECONDS)
    log.happened(("a:1", Deposited(amount=13)))
    with pytest.raises(DeadLettersFull):
        thread.wait_until_caught_up(SECONDS)
    journal.asked = 0
    wait(lambda: journal.asked >= 5 * SHARDS)  # it idles on
    broken.raises_for = set()
    thread.resume("balances")
    log.happened(("a:1", Deposited(amount=1)))
    thread.wait_until_caught_up(SECONDS)
    assert balances(tmp_path) == [("a:1", "ann", 14, 2)]
    said = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(said) == 1
    assert "projection balances has stopped" in said[0].getMessage()


def test_a_projection_that_stopped_goes_on_when_it_is_rebuilt(
    log: LogWriter, serve: Serve, broken: Broken, tmp_path: Path
) -> None:
    thread = serve()
    log.happened(("a:1", Opened(owner="ann")), ("a:1", Deposited(amount=5)))
    thread.wait_until_caught_up(SECONDS)
    change_by_hand(tmp_path, "DROP TABLE balances_v1")
    log.happened(("a:1", Deposited(amount=13)))
    with pytest.raises(TableMismatch):
        thread.wait_until_caught_up(SECONDS)
    broken.raises_for = {13}
    with pytest.raises(HandlerFailed, match="account/a:1 version 3"):
        thread.rebuild("balances")
    broken.raises_for = set()
    thread.rebuild("balances")
    log.happened(("a:1", Deposited(amount=1)))
    thread.wait_until_caught_up(SECONDS)
    assert balances(tmp_path) == [("a:1", "ann", 19, 3)]


def test_what_is_not_repaired_yet_is_said_by_resume_and_nothing_moves(
    log: LogWriter, serve: Serve, tmp_path: Path
) -> None:
    thread = serve()
    log.happened(("a:1", Opened(owner="ann")))
    thread.wait_until_caught_up(SECONDS)
    change_by_hand(tmp_path, "ALTER TABLE balances_v1 RENAME COLUMN balance TO sum")
    log.happened(("a:1", Deposited(amount=1)))
    with pytest.raises(TableMismatch):
        thread.wait_until_caught_up(SECONDS)
    with pytest.raises(TableMismatch, match="column 'balance' is missing"):
        thread.resume("balances")
    change_by_hand(tmp_path, "ALTER TABLE balances_v1 RENAME COLUMN sum TO balance")
    thread.resume("balances")
    thread.wait_until_caught_up(SECONDS)
    assert balances(tmp_path) == [("a:1", "ann", 1, 1)]


def test_dead_letters_are_listed_retried_and_skipped_beside_the_thread(
    log: LogWriter, serve: Serve, broken: Broken, tmp_path: Path
) -> None:
    broken.raises_for = {13}
    thread = serve()
    log.happened(*[(id, Opened(owner="ann")) for id in ("a:1", "b:1")])
    log.happened(*[(id, Deposited(amount=amount)) for id in ("a:1", "b:1") for amount in (13, 2)])
    thread.wait_until_caught_up(SECONDS)
    letters = thread.dead_letters("balances")
    assert [(letter.id, letter.state) for letter in letters] == [
        ("a:1", "failed"),
        ("a:1", "parked"),
        ("b:1", "failed"),
        ("b:1", "parked"),
    ]
    thread.skip("balances", letters[2].position)
    assert thread.retry("balances", "account", "b:1") == 1
    broken.raises_for = set()
    assert thread.retry("balances", "account", "a:1") == 2
    assert thread.dead_letters("balances") == []
    assert [letter.id for letter in thread.dead_letters("balances", include_skipped=True)] == ["b:1"]
    assert balances(tmp_path) == [("a:1", "ann", 15, 2), ("b:1", "ann", 2, 1)]
    with pytest.raises(KeyError, match="not served"):
        thread.dead_letters("balance")


def test_a_journal_that_cannot_be_asked_is_tried_again_and_is_told_once(
    log: LogWriter, journal: Unreliable, serve: Serve, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    thread = serve()
    log.happened(("a:1", Opened(owner="ann")))
    thread.wait_until_caught_up(SECONDS)
    journal.fault = JournalError("shard-0000.sqlite cannot be read")
    journal.asked = 0
    wait(lambda: journal.asked >= 3)
    with pytest.raises(JournalError, match="cannot be read"):
        thread.raise_error()
    journal.fault = None
    wait(lambda: thread.error is None)
    log.happened(("a:1", Deposited(amount=1)))
    thread.wait_until_caught_up(SECONDS)
    assert balances(tmp_path) == [("a:1", "ann", 1, 1)]
    assert caplog.text.count("cannot be read") == 1


def test_an_error_that_nobody_expected_is_logged_with_its_traceback_and_kept(
    log: LogWriter, journal: Unreliable, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    thread = serve()
    journal.fault = ZeroDivisionError("a fault of the adapter")
    wait(lambda: thread.error is not None)
    journal.fault = None
    log.happened(("a:1", Opened(owner="ann")))
    for doing in (
        thread.raise_error,
        lambda: thread.wait_until_caught_up(SECONDS),
        lambda: thread.resume("balances"),
        lambda: thread.rebuild("balances"),
    ):
        with pytest.raises(ZeroDivisionError):
            doing()
    thread.stop()
    assert "Traceback" in caplog.text
    assert "in offsets" in caplog.text


def test_an_operator_gets_a_turn_while_the_thread_is_never_idle(
    log: LogWriter, serve: Serve, broken: Broken, tmp_path: Path
) -> None:
    for _ in range(300):
        log.happened(("a:1", Deposited(amount=1)))
    thread = serve(Limits(batch_frames_max=1))
    done = threading.Event()

    def operate() -> None:
        for _ in range(10):
            thread.dead_letters("balances")
        done.set()

    operator = threading.Thread(target=operate)
    operator.start()
    assert done.wait(SECONDS)
    assert thread.lag() > 0
    operator.join()


def wait(condition: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(int(SECONDS * 1000)):
        if condition():
            return
        pause.wait(0.001)
    raise AssertionError("it never came")

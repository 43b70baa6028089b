"""What a projection cannot handle becomes its dead letter, what follows in that stream waits, and nothing else does."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shardlog import Application, Changes, Domain, Projection, Recorded, RecordedRejection, increment, put
from shardlog.adapters.memory.journal import MemoryJournal
from shardlog.adapters.sql import SqlProjectionStore
from shardlog.errors import DeadLettersFull, HandlerFailed, ProjectionError
from shardlog.model.changes import Increment, Remove
from shardlog.projector.runner import Projector
from shardlog.projector.worker import Limits
from tests.unit.projector.bank import Balance, Broken, Deposited, Opened, Other, Paid, Total, account, bank
from tests.unit.projector.histories import Rows
from tests.unit.projector.log import JOURNAL, LogWriter
from tests.unit.projector.place import Place

SHARDS = 4


@pytest.fixture
def log() -> LogWriter:
    return LogWriter(MemoryJournal(SHARDS), SHARDS)


@pytest.fixture
def broken() -> Broken:
    return Broken()


Make = Callable[..., Projector]


@pytest.fixture
def make(log: LogWriter, tmp_path: Path, broken: Broken) -> Iterator[Make]:
    stores: list[SqlProjectionStore] = []

    def made(limits: Limits | None = None) -> Projector:
        stores.append(SqlProjectionStore(tmp_path / "projections.sqlite"))
        application, balances = bank(broken)
        return Projector(log.journal, JOURNAL, SHARDS, application, [balances], stores[-1], limits)

    yield made
    for store in stores:
        store.close()


def letters(projector: Projector) -> list[tuple[str, int, str]]:
    return [(found.id, found.stream_version, found.state) for found in projector.dead_letters("balances").letters()]


def opened(log: LogWriter, *ids: str) -> None:
    log.happened(*[(id, Opened(owner="ann")) for id in ids])


def deposit(log: LogWriter, id: str, *amounts: int) -> None:
    log.happened(*[(id, Deposited(amount=amount)) for amount in amounts])


# live


def test_an_event_whose_handler_raises_is_a_dead_letter_and_its_stream_waits_behind_it(
    log: LogWriter, make: Make, rows: Rows, broken: Broken
) -> None:
    broken.raises_for = {13}
    opened(log, "a:1", "a:2")
    deposit(log, "a:1", 1, 13, 2)
    deposit(log, "a:2", 5)
    projector = make()
    projector.drain()
    assert rows("balances") == [("a:1", "ann", 1, 1), ("a:2", "ann", 5, 1)]
    assert letters(projector) == [("a:1", 3, "failed"), ("a:1", 4, "parked")]
    failed = projector.dead_letters("balances").letters()[0]
    assert (failed.error, failed.event_type) == ("ValueError: an amount of 13", "account/deposited/1")
    assert "on_deposited" in failed.traceback
    assert failed.data == '{"amount":13}'


def test_the_log_says_of_an_event_that_waits_what_it_waits_for(
    log: LogWriter, make: Make, broken: Broken, caplog: pytest.LogCaptureFixture
) -> None:
    broken.raises_for = {13}
    opened(log, "a:1")
    deposit(log, "a:1", 13, 2)
    make().drain()
    said = [record.getMessage() for record in caplog.records if "dead letter" in record.getMessage()]
    assert [text.split("is a dead letter ")[1] for text in said] == [
        "(failed): ValueError: an amount of 13",
        "(parked): it waits behind an earlier one of its stream",
    ]


def test_a_stream_stays_parked_over_batches_and_restarts(
    log: LogWriter, make: Make, rows: Rows, broken: Broken
) -> None:
    broken.raises_for = {13}
    opened(log, "a:1")
    deposit(log, "a:1", 13)
    make().drain()
    deposit(log, "a:1", 1)
    make().drain()
    last = make()
    deposit(log, "a:1", 2)
    last.drain()
    assert letters(last) == [("a:1", 2, "failed"), ("a:1", 3, "parked"), ("a:1", 4, "parked")]
    assert rows("balances") == [("a:1", "ann", 0, 0)]


@pytest.mark.parametrize(
    "strange",
    [
        pytest.param("deposited", id="text"),
        pytest.param([5], id="sequence of no changes"),
        pytest.param(put(Other(kind="x")), id="row of another projection"),
        pytest.param(Remove(Balance, ("a:1", "b")), id="key of another length"),
        pytest.param(Remove(Balance, (["a"],)), id="key that is a list"),
        pytest.param(Increment(Total, ("x",), {"nope": 1}), id="unknown column"),
        pytest.param(Increment(Total, ("x",), {"kind": 1}), id="column of the key"),
        pytest.param(Increment(Balance, ("a:1",), {"owner": 1}), id="column that does not add"),
        pytest.param(Increment(Balance, ("a:9",), {"balance": 1}), id="missing row without defaults"),
        pytest.param(put(Total(kind="x", events=2**64)), id="number too large"),
        pytest.param(put(Total(kind=None)), id="null key"),  # type: ignore[arg-type]  # the point
        pytest.param(put(Total(kind="x", events="many")), id="text for a number"),  # type: ignore[arg-type]  # the point
    ],
)
def test_an_event_whose_changes_do_not_fit_is_a_dead_letter_and_no_other_is(
    log: LogWriter, make: Make, rows: Rows, broken: Broken, strange: object
) -> None:
    broken.strange_for = {13: strange}
    opened(log, *[f"l{n}:a" for n in range(8)], "a:1")
    for n in range(8):
        deposit(log, f"l{n}:a", *range(1, 6))
    deposit(log, "a:1", 1, 2, 13, 3)
    deposit(log, "b:1", 1)
    projector = make()
    projector.drain()
    assert letters(projector) == [("a:1", 4, "failed"), ("a:1", 5, "parked")]
    assert rows("balances") == [("a:1", "ann", 3, 2)] + [(f"l{n}:a", "ann", 15, 5) for n in range(8)]
    assert rows("totals") == [("deposited", 43, 124), ("opened", 9, 0)]
    assert projector.behind() == 0


def test_many_events_that_the_database_refuses_are_all_found(
    log: LogWriter, make: Make, rows: Rows, broken: Broken
) -> None:
    broken.misfits_for = {13}
    ids = [f"l{n}:a" for n in range(30)]
    opened(log, *ids)
    for n, id in enumerate(ids):
        deposit(log, id, 1, *([13] if n % 3 == 0 else []), 2)
    projector = make()
    projector.drain()
    assert [letter for letter in letters(projector) if letter[2] == "failed"] == sorted(
        (id, 3, "failed") for n, id in enumerate(ids) if n % 3 == 0
    )
    assert len(letters(projector)) == 20
    assert [row[2:] for row in rows("balances")] == [
        (1, 1) if int(str(row[0])[1:-2]) % 3 == 0 else (3, 2) for row in rows("balances")
    ]


def test_an_old_event_and_a_rejection_can_be_dead_letters(log: LogWriter, tmp_path: Path) -> None:
    application, _ = bank()
    broken = True
    projection = Projection("balances", rows=[Total])

    @projection.on
    def deposited(event: Deposited, recorded: Recorded) -> Changes:
        if broken and event.amount == 13:
            raise ValueError("thirteen")
        return increment(Total, "deposited", events=1, amount=event.amount)

    @projection.on_rejected
    def rejected(rejection: RecordedRejection, recorded: Recorded) -> Changes:
        if broken:
            raise ValueError("rejected")
        return increment(Total, rejection.code, events=1)

    deposit(log, "a:1", 1)
    log.happened(("a:1", Paid(amounts=(2, 13, 3))))
    log.happened(("a:1", Paid(amounts=())))
    log.frame(0, [log.rejected("b:1", "frozen")])
    store = SqlProjectionStore(tmp_path / "projections.sqlite")
    projector = Projector(log.journal, JOURNAL, SHARDS, application, [projection], store)
    projector.drain()
    found = projector.dead_letters("balances")
    assert [(x.id, x.event_type) for x in found.letters()] == [
        ("a:1", "account/paid/1"),
        ("b:1", "account/do/rejected"),
    ]
    broken = False
    assert found.retry("account", "a:1") == 1
    assert found.retry("account", "b:1") == 1
    connection = sqlite3.connect(tmp_path / "projections.sqlite")
    assert connection.execute("SELECT * FROM totals ORDER BY 1").fetchall() == [("deposited", 4, 19), ("frozen", 1, 0)]
    connection.close()
    store.close()


def test_too_many_dead_letters_stop_the_projection_and_write_nothing_of_the_batch(
    log: LogWriter, make: Make, rows: Rows, broken: Broken
) -> None:
    broken.raises_for = {13}
    opened(log, "a:1")
    deposit(log, "a:1", 13, 1, 2)
    projector = make(Limits(dead_letters_max=2))
    with pytest.raises(DeadLettersFull, match="dead_letters_max"):
        projector.drain()
    assert letters(projector) == []
    assert rows("balances") == []


# settling them


def test_a_retry_works_through_the_stream_in_order_and_lets_it_go_on(
    log: LogWriter, make: Make, rows: Rows, broken: Broken
) -> None:
    broken.raises_for = {13}
    opened(log, "a:1")
    deposit(log, "a:1", 13, 1, 2)
    projector = make()
    projector.drain()
    broken.raises_for = set()
    assert projector.dead_letters("balances").retry("account", "a:1") == 3
    assert letters(projector) == []
    deposit(log, "a:1", 4)
    projector.drain()
    assert rows("balances") == [("a:1", "ann", 20, 4)]
    assert letters(projector) == []


def test_a_retry_that_fails_again_keeps_it_and_what_waits_behind_it(
    log: LogWriter, make: Make, rows: Rows, broken: Broken
) -> None:
    broken.raises_for = {13, 14}
    opened(log, "a:1")
    deposit(log, "a:1", 13, 1, 14, 2)
    projector = make()
    projector.drain()
    broken.raises_for, broken.misfits_for = set(), {14}
    with pytest.raises(HandlerFailed, match=r"version 4 .* fails again: .*2 of its stream were handled"):
        projector.dead_letters("balances").retry("account", "a:1")
    assert letters(projector) == [("a:1", 4, "parked"), ("a:1", 5, "parked")]
    assert rows("balances") == [("a:1", "ann", 14, 2)]


def test_only_the_first_of_a_stream_is_skipped_and_the_rest_waits_for_a_retry(
    log: LogWriter, make: Make, rows: Rows, broken: Broken
) -> None:
    broken.raises_for = {13}
    opened(log, "a:1")
    deposit(log, "a:1", 13, 1)
    projector = make()
    projector.drain()
    dead = projector.dead_letters("balances")
    first, second = dead.letters()
    with pytest.raises(ProjectionError, match="waits behind version 2"):
        dead.skip(second.position)
    dead.skip(first.position)
    with pytest.raises(ProjectionError, match="no open dead letter"):
        dead.skip(first.position)
    assert dead.retry("account", "a:1") == 1
    deposit(log, "a:1", 2)
    projector.drain()
    assert rows("balances") == [("a:1", "ann", 3, 2)]
    assert letters(projector) == []


# rebuilding


def test_a_rebuild_passes_over_what_is_parked_and_skipped_and_gives_the_same_rows(
    log: LogWriter, make: Make, rows: Rows, broken: Broken
) -> None:
    broken.raises_for = {13}
    opened(log, "a:1", "a:2", "b:1")
    deposit(log, "a:1", 1, 13, 2)
    deposit(log, "a:2", 13)
    deposit(log, "b:1", 7)
    projector = make()
    projector.drain()
    dead = projector.dead_letters("balances")
    dead.skip(next(x for x in dead.letters() if x.id == "a:2").position)
    deposit(log, "a:2", 3)
    projector.drain()
    before, kept = (rows("balances"), rows("totals")), dead.letters(include_skipped=True)
    broken.raises_for = set()
    projector.rebuild("balances")
    assert (rows("balances"), rows("totals")) == before
    assert projector.dead_letters("balances").letters(include_skipped=True) == kept
    deposit(log, "a:1", 4)
    deposit(log, "a:2", 4)
    projector.drain()
    assert letters(projector) == [("a:1", 3, "failed"), ("a:1", 4, "parked"), ("a:1", 5, "parked")]


def test_a_rebuild_stops_at_an_event_that_fails_and_is_no_dead_letter(
    log: LogWriter, make: Make, rows: Rows, broken: Broken
) -> None:
    opened(log, "a:1")
    deposit(log, "a:1", 13)
    projector = make()
    projector.drain()
    for broken.raises_for, broken.misfits_for in (({13}, set()), (set(), {13})):  # type: ignore[assignment]  # sets of int
        with pytest.raises(HandlerFailed, match="the rebuild stops at account/a:1 version 2"):
            projector.rebuild("balances")
        assert letters(projector) == []
    broken.misfits_for = set()
    projector.resume("balances")
    projector.drain()
    assert rows("balances") == [("a:1", "ann", 13, 1)]


def test_a_rebuild_that_was_interrupted_is_a_rebuild_still(
    log: LogWriter, make: Make, rows: Rows, broken: Broken
) -> None:
    opened(log, "a:1")
    deposit(log, "a:1", 13)
    make().drain()
    broken.raises_for = {13}
    with pytest.raises(HandlerFailed):
        make().rebuild("balances")
    deposit(log, "b:1", 13)
    make().drain()
    with pytest.raises(HandlerFailed):
        make().rebuild("balances", goes_on=True)
    assert rows("balances_v1_b2") == [("a:1", "ann", 0, 0)]  # what stands before the event that fails is written
    broken.raises_for = set()
    projector = make()
    projector.rebuild("balances", goes_on=True)
    assert rows("balances") == rows("balances_v1_b2") == [("a:1", "ann", 13, 1)]
    assert letters(projector) == []


def test_the_reason_of_a_dead_letter_is_kept_whatever_characters_it_has(log: LogWriter, place: Place) -> None:
    projection = Projection("balances", rows=[Balance])

    @projection.on
    def opened(event: Opened, recorded: Recorded) -> Changes:
        raise ValueError("an owner named \0 and \ud800")

    application, store = Application([Domain("bank", aggregates=[account])], [projection]), place.make()
    projector = Projector(log.journal, JOURNAL, SHARDS, application, [projection], store)
    log.happened(("a:1", Opened(owner="ann")))
    projector.drain()
    (letter,) = projector.dead_letters("balances").letters()
    assert letter.error == "ValueError: an owner named \\x00 and \\ud800"
    assert "in opened" in letter.traceback

"""A projection that is to stop at what fails makes no dead letters, and goes on where it stopped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from shardlog import DomainError, Projection, increment
from shardlog.adapters.memory.journal import MemoryJournal
from shardlog.adapters.sql import SqlProjectionStore
from shardlog.adapters.sql.engine import open_engine
from shardlog.errors import HandlerFailed
from shardlog.model.changes import Increment
from shardlog.model.projection import OnFailure
from shardlog.projector.runner import Projector
from tests.unit.projector.bank import Balance, Broken, Deposited, Opened, Total, bank
from tests.unit.projector.log import JOURNAL, LogWriter

Make = Callable[..., Projector]


@pytest.fixture
def log() -> LogWriter:
    return LogWriter(MemoryJournal(1), 1)


@pytest.fixture
def broken() -> Broken:
    return Broken()


@pytest.fixture
def make(log: LogWriter, store: SqlProjectionStore, broken: Broken) -> Make:
    def made(on_failure: OnFailure = "stop") -> Projector:
        application, balances = bank(broken, on_failure=on_failure)
        return Projector(log.journal, JOURNAL, 1, application, [balances], store)

    return made


@pytest.fixture
def balances(tmp_path: Path, store: SqlProjectionStore) -> Callable[[], list[tuple[Any, ...]]]:
    def read() -> list[tuple[Any, ...]]:
        with open_engine(tmp_path / "projections.sqlite", 1_000).connect() as connection:
            return [tuple(row) for row in connection.execute(text("SELECT account, balance FROM balances ORDER BY 1"))]

    return read


Balances = Callable[[], list[tuple[Any, ...]]]


def deposit(log: LogWriter, id: str, *amounts: int) -> None:
    """A frame each."""
    for amount in amounts:
        log.happened((id, Deposited(amount=amount)))


def test_it_stops_at_the_event_that_fails_names_it_and_has_written_all_before_it(
    log: LogWriter, make: Make, broken: Broken, balances: Balances, store: SqlProjectionStore
) -> None:
    broken.raises_for = {13}
    log.happened(("a:1", Opened(owner="ann")), ("a:2", Opened(owner="bob")))
    deposit(log, "a:1", 1, 13, 2)
    deposit(log, "a:2", 5)
    projector = make()
    with pytest.raises(HandlerFailed, match=r"it stops at account/a:1 version 3, position .*an amount of 13") as caught:
        projector.drain()
    assert "on_deposited" in str(caught.value)
    assert balances() == [("a:1", 1), ("a:2", 0)]
    assert projector.dead_letters("balances").letters() == []
    (record,) = store.builds.records()
    assert "account/a:1 version 3" in record.stopped
    assert "Traceback" not in record.stopped


def test_it_goes_on_where_it_stopped_when_its_handler_is_repaired(
    log: LogWriter, make: Make, broken: Broken, balances: Balances
) -> None:
    broken.raises_for = {13}
    log.happened(("a:1", Opened(owner="ann")))
    deposit(log, "a:1", 1, 13, 2)
    projector = make()
    with pytest.raises(HandlerFailed):
        projector.drain()
    projector.resume("balances")
    with pytest.raises(HandlerFailed, match="version 3"):
        projector.drain()
    broken.raises_for.clear()
    projector.resume("balances")
    projector.drain()
    assert balances() == [("a:1", 16)]


@pytest.mark.parametrize(
    "strange",
    [
        pytest.param("deposited", id="what is no change"),
        pytest.param(Increment(Balance, ("a:9",), {"balance": 1}), id="a row that lacks a value"),
        pytest.param(increment(Total, "x", events=2**62), id="a row that the database refuses"),
    ],
)
def test_it_stops_at_changes_that_do_not_fit_too(
    log: LogWriter, make: Make, broken: Broken, balances: Balances, strange: object
) -> None:
    broken.strange_for = {13: [strange, strange] if not isinstance(strange, str) else strange}
    log.happened(("a:1", Opened(owner="ann")))
    deposit(log, "a:1", 1, 13, 2)
    with pytest.raises(HandlerFailed, match="it stops at account/a:1 version 3"):
        make().drain()
    assert balances() == [("a:1", 1)]


def test_its_rebuild_stops_at_what_is_parked_and_passes_over_what_was_skipped(
    log: LogWriter, make: Make, broken: Broken, balances: Balances, store: SqlProjectionStore
) -> None:
    broken.raises_for = {13, 14}
    log.happened(("a:1", Opened(owner="ann")), ("a:2", Opened(owner="bob")))
    deposit(log, "a:1", 13, 2)
    deposit(log, "a:2", 14, 3)
    parks = make("park")
    parks.drain()
    letters = parks.dead_letters("balances")
    letters.skip(letters.letters()[2].position)
    letters.retry("account", "a:2")
    with pytest.raises(HandlerFailed, match="the rebuild stops at account/a:1 version 2"):
        make().rebuild("balances")
    assert balances() == [("a:1", 0), ("a:2", 3)]
    with pytest.raises(HandlerFailed, match=r"at .* fails again: ValueError: an amount of 13"):
        make().dead_letters("balances").retry("account", "a:1")
    broken.raises_for = {14}
    make().rebuild("balances", goes_on=True)
    assert balances() == [("a:1", 15), ("a:2", 3)]
    assert make().dead_letters("balances").letters() == []


def test_another_word_for_what_to_do_is_refused_where_the_projection_is_defined() -> None:
    with pytest.raises(DomainError, match=r"projection 'balances': on_failure='skip', and must be 'park'.*'stop'"):
        Projection("balances", rows=[Balance], on_failure="skip")  # type: ignore[arg-type]  # the point

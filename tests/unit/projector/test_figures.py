"""What a projector shows of itself to metrics: how far it is, and that it was stopped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from shardlog.adapters.memory.journal import MemoryJournal
from shardlog.adapters.sql import SqlProjectionStore
from shardlog.errors import ShardlogError
from shardlog.ports.builds import Build
from shardlog.projector.dead_letters import DeadLetters
from shardlog.projector.runner import Projector
from shardlog.projector.watching import LOOK_SECONDS
from shardlog.projector.worker import Limits
from tests.unit.projector.bank import Broken, Deposited, Opened, bank
from tests.unit.projector.log import JOURNAL, LogWriter
from tests.unit.telemetry.scraped import Scrape, scrape


class Clock:
    """It stands still until it is moved."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def log() -> LogWriter:
    return LogWriter(MemoryJournal(1), 1)


@pytest.fixture
def projector(log: LogWriter, tmp_path: Path) -> Iterator[Projector]:
    application, balances = bank()
    store = SqlProjectionStore(tmp_path / "projections.sqlite")
    yield Projector(log.journal, JOURNAL, 1, application, [balances], store, Limits(batch_frames_max=1))
    store.close()


def shown(projector: Projector) -> Scrape:
    return scrape(projector.figures())


def waiting(projector: Projector) -> float:
    return shown(projector).value("shardlog_projection_open_dead_letters", projection="balances")


def test_the_lag_is_what_stood_in_the_log_at_the_last_look_and_is_not_written(
    log: LogWriter, projector: Projector
) -> None:
    for number in range(5):
        log.happened((f"a:{number}", Opened(owner="ann")))
    projector.step()
    end = log.journal.offsets(0)[1]
    assert shown(projector).value("shardlog_projection_next_offset", projection="balances", shard="0") == 1
    assert shown(projector).value("shardlog_projection_lag_records", projection="balances", shard="0") == end - 1
    projector.drain()
    assert shown(projector).value("shardlog_projection_next_offset", projection="balances", shard="0") == end
    assert shown(projector).value("shardlog_projection_lag_records", projection="balances", shard="0") == 0


def test_a_projection_that_has_stopped_is_shown_as_such(log: LogWriter, projector: Projector) -> None:
    log.happened(("a:1", Opened(owner="ann")))
    log.journal.writer(0).append(b'["shardlog",99,"of a newer version"]', lambda _report: None)
    with pytest.raises(ShardlogError):
        projector.drain()
    assert shown(projector).value("shardlog_projection_stopped", projection="balances") == 1


def test_events_that_wait_are_never_shown_as_none(log: LogWriter, projector: Projector) -> None:
    labels = {"projection": "balances", "shard": "0"}
    log.happened(("a:1", Opened(owner="ann")))
    projector.step()  # the claim, which holds none
    assert shown(projector).value("shardlog_projection_lag_records", **labels) == 1
    assert shown(projector).value("shardlog_projection_lag_events", **labels) == 1
    projector.drain()
    assert shown(projector).value("shardlog_projection_lag_events", **labels) == 0


def test_dead_letters_are_shown_as_open_until_somebody_settles_them_whoever_wrote_them(
    log: LogWriter, tmp_path: Path
) -> None:
    broken, clock = Broken(), Clock()
    application, balances = bank(broken)
    store = SqlProjectionStore(tmp_path / "projections.sqlite")
    about = (log.journal, JOURNAL, 1, application, [balances], store)
    broken.raises_for = {5}
    log.happened(("a:1", Opened(owner="ann")), ("a:1", Deposited(amount=5)), ("a:1", Deposited(amount=1)))
    Projector(*about).drain()
    projector = Projector(*about, now_s=clock)
    assert waiting(projector) == 2
    assert shown(projector).value("shardlog_projection_dead_letters_total", projection="balances") == 0
    letters = DeadLetters(application, Build(balances, 1), store)  # as another process does
    letters.skip(letters.letters()[0].position)
    clock.seconds += LOOK_SECONDS
    projector.step()
    assert waiting(projector) == 1
    letters.retry("account", "a:1")
    clock.seconds += LOOK_SECONDS
    projector.step()
    assert waiting(projector) == 0
    store.close()

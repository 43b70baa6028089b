"""What a projector shows of itself to metrics: how far it is, and that it was stopped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from shardlog.adapters.memory.journal import MemoryJournal
from shardlog.adapters.sql import SqlProjectionStore
from shardlog.errors import ShardlogError
from shardlog.projector.runner import Projector
from shardlog.projector.worker import Limits
from tests.unit.projector.bank import Opened, bank
from tests.unit.projector.log import JOURNAL, LogWriter
from tests.unit.telemetry.scraped import Scrape, scrape


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

"""A projector serves the shards that it is assigned, shows how far it is there, and nothing of the others."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from shardlog.adapters.memory.journal import MemoryJournal
from shardlog.adapters.sql import SqlProjectionStore
from shardlog.projector.ages import Ages
from shardlog.projector.core import Frame
from shardlog.projector.runner import Projector
from shardlog.projector.worker import Limits
from tests.unit.projector.bank import Deposited, Opened, bank
from tests.unit.projector.log import JOURNAL, LogWriter
from tests.unit.telemetry.scraped import scrape

SHARDS = 4
IDS = [f"a{number}:1" for number in range(20)]
Make = Callable[..., Projector]


@pytest.fixture
def log() -> LogWriter:
    log = LogWriter(MemoryJournal(SHARDS), SHARDS)
    log.happened(*[(id, Opened(owner="ann")) for id in IDS])
    return log


@pytest.fixture
def make(log: LogWriter, store: SqlProjectionStore) -> Make:
    def made(*serves: int, frames_max: int = 256) -> Projector:
        application, balances = bank()
        limits = Limits(batch_frames_max=frames_max)
        return Projector(log.journal, JOURNAL, SHARDS, application, [balances], store, limits, serves=serves)

    return made


def read(store: SqlProjectionStore) -> set[int]:
    """Shards that somebody has read."""
    return set(store.stored(store.builds.records()[0].key).checkpoints)


def test_it_reads_the_shards_that_it_serves_and_no_others(make: Make, store: SqlProjectionStore) -> None:
    projector = make(1)
    projector.drain()
    assert projector.shards == (1,)
    assert read(store) == {1}
    projector.assign([3, 0])
    projector.drain()
    assert projector.shards == (0, 3)
    assert read(store) == {0, 1, 3}
    assert set(projector.lag()["balances"]) == {0, 3}
    projector.assign([])
    assert projector.step() == 0


def test_a_shard_that_comes_is_read_on_where_another_one_left_it(
    make: Make, log: LogWriter, store: SqlProjectionStore
) -> None:
    first, second = make(0, 1), make(2, 3)
    first.drain()
    second.drain()
    for _ in range(3):
        log.happened(*[(id, Deposited(amount=1)) for id in IDS])
    first.assign([0])
    second.assign([1, 2, 3])
    first.drain()
    second.drain()
    assert first.handled["balances"] + second.handled["balances"] == len(IDS) * 4
    assert read(store) == set(range(SHARDS))
    assert first.stopped == second.stopped == {}


def test_the_lag_is_shown_in_records_events_and_seconds_for_the_shards_that_it_serves(
    make: Make, log: LogWriter
) -> None:
    projector = make(0, frames_max=1)
    projector.drain()
    for _ in range(5):
        log.happened(*[(id, Deposited(amount=1)) for id in IDS])
    projector.step()
    shown = scrape(projector.figures())
    labels = {"projection": "balances", "shard": "0"}
    in_shard = sum(log.shard_of(id) == 0 for id in IDS)
    assert shown.value("shardlog_projection_shards", projection="balances") == 1
    assert shown.value("shardlog_projection_lag_records", **labels) == 4
    assert shown.value("shardlog_projection_lag_events", **labels) == math.ceil(4 * (2 * in_shard + 1) / (3 + 1))
    assert shown.value("shardlog_projection_lag_seconds", **labels) > 0
    assert shown.value("shardlog_projection_batch_events_sum", projection="balances") == 2 * in_shard
    assert shown.value("shardlog_projection_commit_seconds_count", projection="balances") == 3
    with pytest.raises(KeyError):
        shown.value("shardlog_projection_lag_records", projection="balances", shard="1")
    projector.drain()
    shown = scrape(projector.figures())
    assert shown.value("shardlog_projection_lag_seconds", **labels) == 0
    assert shown.value("shardlog_projection_lag_events", **labels) == 0


def test_the_lag_in_seconds_is_the_age_of_the_oldest_record_that_is_not_read() -> None:
    ages = Ages()
    ages.look({0: 5}, {0: 7, 1: 0}, now_us=100_000_000)
    assert ages.lag_s(103_000_000) == {0: 3.0}, "not read yet: since it was seen"
    ages.read([Frame(0, 5, b"[90000000,{},[]]"), Frame(0, 6, b"[95000000,{},[]]")])
    assert ages.lag_s(103_000_000) == {0: 13.0}, "by the first frame's own time"
    ages.look({0: 7}, {0: 7, 1: 0}, now_us=104_000_000)
    assert ages.lag_s(104_000_000) == {}
    ages.look({0: 7}, {0: 8, 1: 0}, now_us=105_000_000)
    assert ages.lag_s(104_000_000) == {0: 0.0}, "a clock that went back"

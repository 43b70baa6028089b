"""What another process says in the record of a build is heeded."""

from __future__ import annotations

import sqlite3

import pytest

from shardlog.adapters.sql import SqlProjectionStore
from shardlog.errors import BuildRefused
from shardlog.ports.builds import BuildKey
from tests.unit.projector.bank import Deposited, Opened
from tests.unit.projector.building.builds import Clock, Make, states
from tests.unit.projector.histories import Rows
from tests.unit.projector.log import LogWriter


def test_a_paused_build_is_not_written_until_it_goes_on_and_others_are(
    log: LogWriter, make: Make, store: SqlProjectionStore, rows: Rows, clock: Clock
) -> None:
    key = BuildKey("balances", 1, 1)
    projector = make()
    store.builds.pause(key, is_paused=True)
    clock.now_s += 2
    log.happened(("a:1", Opened(owner="ann")))
    projector.drain()
    assert rows("balances") == []
    assert projector.behind() > 0
    store.builds.pause(key, is_paused=False)
    clock.now_s += 2
    projector.drain()
    assert rows("balances") == [("a:1", "ann", 0, 0)]


def test_a_stopped_build_goes_on_when_another_process_says_so(
    log: LogWriter, make: Make, store: SqlProjectionStore, rows: Rows, clock: Clock
) -> None:
    log.happened(("a:1", Opened(owner="ann")))
    projector = make()
    with sqlite3.connect(store_path(store)) as connection:
        connection.execute("ALTER TABLE balances_v1 RENAME COLUMN owner TO somebody")
    with pytest.raises(Exception, match="column 'owner' is missing"):
        projector.drain()
    (record,) = store.builds.records()
    assert "column 'owner' is missing" in record.stopped
    assert record.stopped_at > record.begun_at
    with sqlite3.connect(store_path(store)) as connection:
        connection.execute("ALTER TABLE balances_v1 RENAME COLUMN somebody TO owner")
    store.builds.resume(record.key)
    clock.now_s += 2
    projector.drain()
    assert rows("balances") == [("a:1", "ann", 0, 0)]
    assert [record.stopped for record in store.builds.records()] == [""]


def test_a_worker_whose_build_is_dropped_stops_and_does_not_make_it_again(
    log: LogWriter, make: Make, store: SqlProjectionStore, rows: Rows, clock: Clock
) -> None:
    old = make()
    make(version=2).drain()
    store.builds.drop(BuildKey("balances", 1, 1))
    log.happened(("a:1", Opened(owner="ann")))
    clock.now_s += 2
    with pytest.raises(BuildRefused, match="balances/1/1 was dropped: where a later version serves, end this process"):
        old.step()
    assert states(store) == {"balances/2/1": "serving"}


def test_what_is_passed_over_by_hand_is_in_no_row_and_in_the_record(
    log: LogWriter, make: Make, store: SqlProjectionStore, rows: Rows
) -> None:
    log.happened(("a:1", Deposited(amount=1)))
    log.append(log.shard_of("a:1"), b"no record")
    (offset,) = log.happened(("a:1", Deposited(amount=10)))
    log.happened(("a:1", Deposited(amount=100)))
    projector = make(frames_max=5)
    shard = log.shard_of("a:1")
    with pytest.raises(BuildRefused, match=f"shard {shard} up to offset 0, the journal ends at {offset + 2}"):
        projector.pass_over("balances", shard, offset + 3)
    projector.step()
    (read,) = [lag.next for at, lag in projector.lag()["balances"].items() if at == shard]
    projector.pass_over("balances", shard, offset + 1)
    projector.drain()
    assert ("deposited", 3, 111) not in rows("totals")
    assert [row[2] for row in rows("totals")] in ([100], [101])
    (record,) = store.builds.records()
    assert record.passed_over.startswith(f"shard {shard}: offsets {read} to {offset}, ")
    with pytest.raises(BuildRefused, match="rebuild the projection: rows that count would count twice"):
        projector.pass_over("balances", shard, offset)
    projector.rebuild("balances")
    assert rows("totals") == [("deposited", 3, 111)]


def store_path(store: SqlProjectionStore) -> str:
    database = store._engine.url.database
    assert database is not None
    return database

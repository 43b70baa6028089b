"""Dead letters that are settled in the build that serves are settled in the one that takes its place."""

from __future__ import annotations

from typing import Any

import pytest

from shardlog.adapters.sql import SqlProjectionStore
from shardlog.adapters.sql.builds import SqlBuilds
from tests.unit.projector.bank import Broken, Deposited, Opened
from tests.unit.projector.building.builds import SHARDS, Clock, Make, states
from tests.unit.projector.histories import Rows
from tests.unit.projector.log import LogWriter


def test_letters_that_are_settled_while_a_rebuild_is_under_way_are_settled_in_the_new_build_too(
    log: LogWriter, make: Make, store: SqlProjectionStore, rows: Rows, broken: Broken
) -> None:
    log.happened(("a:1", Opened(owner="ann")), ("b:1", Opened(owner="bob")), ("c:1", Opened(owner="cid")))
    log.happened(("a:1", Deposited(amount=7)), ("b:1", Deposited(amount=7)), ("c:1", Deposited(amount=7)))
    log.happened(("a:1", Deposited(amount=1)), ("b:1", Deposited(amount=1)), ("c:1", Deposited(amount=1)))
    broken.raises_for.add(7)
    projector = make(frames_max=1)
    projector.drain()
    projector.begin_rebuild("balances")
    projector.step()
    broken.raises_for.clear()
    letters = projector.dead_letters("balances")
    letters.retry("account", "a:1")
    letters.skip(next(letter.position for letter in letters.letters() if letter.id == "b:1"))
    letters.retry("account", "b:1")
    projector.drain()
    assert states(store) == {"balances/1/1": "retired", "balances/1/2": "serving"}
    assert rows("balances") == rows("balances_v1")
    assert [row[:3] for row in rows("balances")] == [("a:1", "ann", 8), ("b:1", "bob", 1), ("c:1", "cid", 0)]
    left = projector.dead_letters("balances").letters(include_skipped=True)
    assert [(letter.id, letter.state) for letter in left] == [("b:1", "skipped"), ("c:1", "failed"), ("c:1", "parked")]


def test_of_several_that_build_one_version_whoever_switches_settles_the_letters_of_all_shards(
    log: LogWriter, make: Make, store: SqlProjectionStore, clock: Clock, rows: Rows, broken: Broken
) -> None:
    accounts = [f"{letter}:1" for letter in "abcdefgh"]
    assert {log.shard_of(account_id) for account_id in accounts} == set(range(SHARDS))
    for event in (Opened(owner="ann"), Deposited(amount=7), Deposited(amount=1)):
        log.happened(*[(account_id, event) for account_id in accounts])
    broken.raises_for.add(7)
    old = make()
    old.drain()
    workers = [make(version=3, serves=(0, 1)), make(version=3, serves=(2, 3))]
    broken.raises_for.clear()
    for account_id in accounts:
        old.dead_letters("balances").retry("account", account_id)
    while states(store)["balances/3/1"] == "building":
        clock.now_s += 1.0
        for worker in workers:
            worker.step()
    assert workers[0].dead_letters("balances").letters() == []
    assert rows("balances") == rows("balances_v1")
    log.happened(*[(account_id, Deposited(amount=2)) for account_id in accounts])
    for worker in workers:
        worker.drain()
    assert {row[2] for row in rows("balances")} == {10}


def test_letters_that_are_settled_at_the_moment_of_the_switch_are_settled_in_the_new_build_too(
    log: LogWriter, make: Make, store: SqlProjectionStore, rows: Rows, broken: Broken, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.happened(("a:1", Opened(owner="ann")), ("a:1", Deposited(amount=7)))
    broken.raises_for.add(7)
    projector = make()
    projector.drain()
    broken.raises_for.clear()
    letters, switch = projector.dead_letters("balances"), SqlBuilds.switch

    def beside(builds: SqlBuilds, *given: Any, **more: Any) -> None:
        letters.retry("account", "a:1")
        switch(builds, *given, **more)

    monkeypatch.setattr(SqlBuilds, "switch", beside)
    projector.rebuild("balances")
    assert states(store) == {"balances/1/1": "retired", "balances/1/2": "serving"}
    assert projector.dead_letters("balances").letters() == []
    assert [row[2] for row in rows("balances")] == [7]

"""A later version builds beside the one that serves, takes its place, and can be left again."""

from __future__ import annotations

import sqlite3

import pytest

from shardlog import Application, Changes, Domain, Projection, Recorded, put
from shardlog.adapters.sql import SqlProjectionStore
from shardlog.errors import BuildRefused, HandlerFailed
from shardlog.ports.builds import BuildKey
from shardlog.projector.runner import Projector
from tests.unit.projector.bank import Broken, Deposited, Opened, account
from tests.unit.projector.building.builds import SHARDS, Clock, Make, Owner, states
from tests.unit.projector.histories import Rows
from tests.unit.projector.log import JOURNAL, LogWriter


def test_a_later_version_builds_beside_and_takes_the_views_over_with_its_columns(
    log: LogWriter, make: Make, store: SqlProjectionStore, rows: Rows
) -> None:
    log.happened(*[(f"l{n}:a", Opened(owner="ann")) for n in range(20)])
    make().drain()
    before = rows("balances")
    later = make(version=2, frames_max=1)
    assert later.step() > 0
    assert states(store) == {"balances/1/1": "serving", "balances/2/1": "building"}
    assert rows("balances") == before
    assert later.behind() > 0
    later.drain()
    assert states(store) == {"balances/1/1": "retired", "balances/2/1": "serving"}
    assert rows("balances") == [row[:2] for row in before]
    with pytest.raises(sqlite3.OperationalError, match="no such table: totals"):
        rows("totals")


def test_old_code_keeps_its_retired_build_up_to_date_so_that_switching_back_loses_nothing(
    log: LogWriter, make: Make, store: SqlProjectionStore, rows: Rows, clock: Clock
) -> None:
    old = make()
    log.happened(("a:1", Opened(owner="ann")))
    old.drain()
    new = make(version=2)
    new.drain()
    clock.now_s += 2
    log.happened(("b:1", Opened(owner="bob")))
    old.drain()
    new.drain()
    assert rows("balances") == [("a:1", "ann"), ("b:1", "bob")]
    store.builds.switch(BuildKey("balances", 1, 1), {shard: log.journal.offsets(shard)[1] for shard in range(SHARDS)})
    assert rows("balances") == [("a:1", "ann", 0, 0), ("b:1", "bob", 0, 0)]
    log.happened(("b:1", Deposited(amount=5)))
    clock.now_s += 2
    for projector in (new, old):
        projector.drain()
        assert dict(projector.stopped) == {}
    assert rows("balances") == [("a:1", "ann", 0, 0), ("b:1", "bob", 5, 1)]
    assert states(store) == {"balances/1/1": "serving", "balances/2/1": "retired"}


def test_code_of_an_earlier_version_without_a_build_of_its_own_writes_nothing_and_says_what_to_do(
    log: LogWriter, make: Make, store: SqlProjectionStore, rows: Rows
) -> None:
    log.happened(("a:1", Opened(owner="ann")))
    make(version=2).drain()
    old = make()
    with pytest.raises(BuildRefused, match=r"balances/2/1 serves, and this code has version 1.*deploy version 2"):
        old.step()
    assert rows("balances") == [("a:1", "ann")]
    old.rebuild("balances")
    assert rows("balances") == [("a:1", "ann", 0, 0)]
    assert states(store) == {"balances/1/1": "serving", "balances/2/1": "retired"}
    assert dict(old.stopped) == {}


def test_a_later_version_that_fails_leaves_what_serves_and_goes_on_when_it_is_repaired(
    log: LogWriter, make: Make, store: SqlProjectionStore, rows: Rows, broken: Broken
) -> None:
    log.happened(("a:1", Opened(owner="ann")), ("b:1", Opened(owner="bob")))
    make().drain()
    broken.strange_for = {0: "bob"}
    with pytest.raises(HandlerFailed):
        make(version=2).drain()
    assert rows("balances") == [("a:1", "ann", 0, 0), ("b:1", "bob", 0, 0)]
    broken.strange_for = {}
    make(version=2).drain()
    assert rows("balances") == [("a:1", "ann"), ("b:1", "bob")]
    assert [record.stopped for record in store.builds.records()] == ["", ""]


def test_retired_code_that_is_rebuilt_goes_on_with_its_retired_build_and_leaves_the_new_one_to_who_asked_for_it(
    log: LogWriter, make: Make, store: SqlProjectionStore, rows: Rows, clock: Clock
) -> None:
    log.happened(("a:1", Opened(owner="ann")))
    old, rebuilding = make(), make()
    old.drain()
    make(version=2).drain()
    rebuilding.begin_rebuild("balances")
    log.happened(("b:1", Opened(owner="bob")))
    clock.now_s += 2
    old.drain()
    assert [row[0] for row in rows("balances_v1")] == ["a:1", "b:1"], "the retired build is kept up"
    rebuilding.drain()
    assert states(store)["balances/1/2"] == "serving"
    assert dict(old.stopped) == dict(rebuilding.stopped) == {}
    assert [row[0] for row in rows("balances")] == ["a:1", "b:1"]


def renamed(suffix: str) -> Application:
    projection = Projection("balances", rows=[Owner])

    @projection.on
    def opened(event: Opened, recorded: Recorded) -> Changes:
        return put(Owner(account=recorded.id, owner=event.owner + suffix))

    return Application([Domain("bank", aggregates=[account])], [projection])


def test_who_goes_on_with_other_handlers_in_the_same_version_is_told_until_it_is_rebuilt(
    log: LogWriter, store: SqlProjectionStore, caplog: pytest.LogCaptureFixture
) -> None:
    def serve(suffix: str) -> Projector:
        application = renamed(suffix)
        projections = list(application.projections.values())
        return Projector(log.journal, JOURNAL, SHARDS, application, projections, store)

    def told() -> list[str]:
        found = [record.message for record in caplog.records if "its handlers are not those" in record.message]
        caplog.clear()
        return found

    log.happened(("a:1", Opened(owner="ann")))
    serve("").drain()
    serve("").drain()
    assert told() == []
    changed = serve(" (new)")
    assert len(told()) == 1
    changed.rebuild("balances")
    serve(" (new)").drain()
    assert told() == []

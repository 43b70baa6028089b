"""A new build stands beside the one that serves, takes its place when it has caught up, and can be left again."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from shardlog import Application, Changes, Domain, Key, Projection, Recorded, Row, put
from shardlog.adapters.memory.journal import MemoryJournal
from shardlog.adapters.sql import SqlProjectionStore
from shardlog.adapters.sql.builds import SqlBuilds
from shardlog.archive.stitching import StitchedJournal
from shardlog.errors import BuildRefused, CheckpointMoved, HandlerFailed, HistoryMissing
from shardlog.ports.builds import BuildKey
from shardlog.projector.runner import Projector
from shardlog.projector.worker import Limits
from tests.unit.projector.bank import Broken, Deposited, Opened, account, bank
from tests.unit.projector.log import JOURNAL, LogWriter
from tests.unit.snapshots.archived import MemoryArchive

SHARDS = 4


class Owner(Row, name="balances"):
    """Version 2 of the balances: other columns, and no table of totals."""

    account: Key[str]
    owner: str


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def broken() -> Broken:
    return Broken()


@pytest.fixture
def log() -> LogWriter:
    return LogWriter(MemoryJournal(SHARDS), SHARDS)


Make = Callable[..., Projector]
Rows = Callable[[str], list[tuple[object, ...]]]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlProjectionStore]:
    store = SqlProjectionStore(tmp_path / "projections.sqlite")
    yield store
    store.close()


@pytest.fixture
def make(log: LogWriter, store: SqlProjectionStore, clock: Clock, broken: Broken) -> Make:
    def made(version: int = 1, frames_max: int = 256, **more: Any) -> Projector:
        application = owners(broken) if version == 2 else bank(broken, version)[0]
        return Projector(
            log.journal,
            JOURNAL,
            SHARDS,
            application,
            list(application.projections.values()),
            store,
            Limits(batch_frames_max=frames_max),
            now_s=clock,
            **more,
        )

    return made


@pytest.fixture
def rows(tmp_path: Path) -> Rows:
    def read(table: str) -> list[tuple[object, ...]]:
        connection = sqlite3.connect(tmp_path / "projections.sqlite")
        try:
            return connection.execute(f'SELECT * FROM "{table}" ORDER BY 1').fetchall()
        finally:
            connection.close()

    return read


def owners(broken: Broken) -> Application:
    projection = Projection("balances", rows=[Owner], version=2)

    @projection.on
    def opened(event: Opened, recorded: Recorded) -> Changes:
        if event.owner in broken.strange_for.values():
            raise ValueError(f"an owner named {event.owner}")
        return put(Owner(account=recorded.id, owner=event.owner))

    return Application([Domain("bank", aggregates=[account])], [projection])


def states(store: SqlProjectionStore) -> dict[str, str]:
    return {record.key.label: record.state for record in store.builds.records()}


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


def test_a_rebuild_goes_on_beside_what_serves_step_by_step(
    log: LogWriter, make: Make, store: SqlProjectionStore, rows: Rows
) -> None:
    log.happened(("a:1", Opened(owner="ann")))
    for n in range(5):
        log.happened(("a:1", Deposited(amount=n)))
    projector = make(frames_max=2)
    projector.drain()
    projector.begin_rebuild("balances")
    projector.step()
    log.happened(("a:1", Deposited(amount=100)))
    projector.step()
    assert rows("balances_v1_b2") != rows("balances") == rows("balances_v1") == [("a:1", "ann", 110, 6)]
    assert projector.rebuilding == {"balances": None}
    ((build, progress),) = projector.figures()[0].building.items()
    assert (build, 0 < progress < 1) == ("balances/1/2", True)
    projector.drain()
    assert projector.rebuilding == {}
    assert projector.figures()[0].building == {}
    assert rows("balances") == rows("balances_v1_b2") == [("a:1", "ann", 110, 6)]
    assert states(store) == {"balances/1/1": "retired", "balances/1/2": "serving"}


def test_workers_move_to_the_build_that_another_process_has_switched_to(
    log: LogWriter, make: Make, store: SqlProjectionStore, rows: Rows, clock: Clock
) -> None:
    log.happened(("a:1", Opened(owner="ann")))
    worker = make()
    worker.drain()
    make(keeps=False).rebuild("balances")
    log.happened(("a:1", Deposited(amount=1)))
    worker.drain()
    assert rows("balances_v1") == [("a:1", "ann", 1, 1)]
    clock.now_s += 2
    worker.drain()
    assert rows("balances") == rows("balances_v1_b2") == [("a:1", "ann", 1, 1)]
    log.happened(("a:1", Deposited(amount=1)))
    worker.drain()
    assert rows("balances") == [("a:1", "ann", 2, 2)]
    assert rows("balances_v1") == [("a:1", "ann", 1, 1)]


def test_a_rebuild_that_fails_leaves_what_serves_and_says_in_its_record_why(
    log: LogWriter, make: Make, store: SqlProjectionStore, rows: Rows, broken: Broken
) -> None:
    log.happened(("a:1", Opened(owner="ann")), ("a:1", Deposited(amount=13)))
    projector = make()
    projector.drain()
    broken.raises_for = {13}
    with pytest.raises(HandlerFailed):
        projector.rebuild("balances")
    log.happened(("a:1", Deposited(amount=5)))
    projector.drain()
    assert rows("balances") == [("a:1", "ann", 18, 2)]
    serving, building = store.builds.records()
    assert (serving.state, serving.stopped) == ("serving", "")
    assert (building.state, building.key.number) == ("building", 2)
    assert "the rebuild stops at account/a:1 version 2" in building.stopped


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


def test_nothing_is_built_from_a_journal_whose_beginning_is_kept_nowhere(
    log: LogWriter, make: Make, store: SqlProjectionStore, rows: Rows
) -> None:
    for _ in range(3):
        log.happened(("a:1", Opened(owner="ann")))
    projector = make()
    projector.drain()
    shard = log.shard_of("a:1")
    log.journal.truncate(shard, 2)
    with pytest.raises(HistoryMissing, match=rf"shard {shard} is wanted from offset 0, and the journal begins at 2"):
        projector.rebuild("balances")
    with pytest.raises(HistoryMissing, match="archive"):
        make(version=2).step()
    assert states(store) == {"balances/1/1": "serving"}
    log.happened(("a:1", Deposited(amount=5)))
    assert projector.step() == 1
    assert rows("balances") == [("a:1", "ann", 5, 1)]


def test_a_build_is_made_of_archive_and_journal(
    log: LogWriter, make: Make, store: SqlProjectionStore, rows: Rows
) -> None:
    for amount in range(5):
        log.happened(("a:1", Deposited(amount=amount)), ("b:1", Opened(owner="bob")))
    make().drain()
    before = rows("totals")
    archive = MemoryArchive({shard: list(log.journal.read(shard, 0))[:3] for shard in range(SHARDS)})
    for shard in range(SHARDS):
        log.journal.truncate(shard, 2)
    application, balances = bank()
    stitched = StitchedJournal(log.journal, archive)
    Projector(stitched, JOURNAL, SHARDS, application, [balances], store, keeps=False).rebuild("balances")
    assert states(store) == {"balances/1/1": "retired", "balances/1/2": "serving"}
    assert rows("totals") == before


def test_of_two_rebuilds_of_one_build_one_is_refused_by_its_checkpoint(
    log: LogWriter, make: Make, store: SqlProjectionStore, rows: Rows
) -> None:
    for n in range(9):
        log.happened(("a:1", Deposited(amount=n)))
    make().drain()
    first, second = (make(keeps=False, frames_max=1) for _ in range(2))
    for projector in (first, second):
        projector.begin_rebuild("balances", goes_on=True)
    first.step()
    second.step()
    assert isinstance(second.rebuilding["balances"], CheckpointMoved)
    first.drain()
    assert rows("totals") == rows("totals_v1_b2") == rows("totals_v1")
    assert states(store) == {"balances/1/1": "retired", "balances/1/2": "serving"}


def test_a_rebuild_begun_anew_ends_the_one_that_was_not_finished(
    log: LogWriter, make: Make, store: SqlProjectionStore, rows: Rows
) -> None:
    for n in range(9):
        log.happened(("a:1", Deposited(amount=n)))
    make().drain()
    first, second = (make(keeps=False, frames_max=1) for _ in range(2))
    first.begin_rebuild("balances")
    first.step()
    second.rebuild("balances")
    first.step()
    assert isinstance(first.rebuilding["balances"], CheckpointMoved)
    assert states(store) == {"balances/1/1": "retired", "balances/1/3": "serving"}
    assert rows("totals") == rows("totals_v1")


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

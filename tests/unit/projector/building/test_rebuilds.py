"""A rebuild of the version that serves stands beside it until it has caught up."""

from __future__ import annotations

import pytest

from shardlog.adapters.sql import SqlProjectionStore
from shardlog.archive.stitching import StitchedJournal
from shardlog.errors import CheckpointMoved, HandlerFailed, HistoryMissing
from shardlog.projector.runner import Projector
from tests.unit.projector.bank import Broken, Deposited, Opened, bank
from tests.unit.projector.building.builds import SHARDS, Clock, Make, states
from tests.unit.projector.histories import Rows
from tests.unit.projector.log import JOURNAL, LogWriter
from tests.unit.snapshots.archived import MemoryArchive


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

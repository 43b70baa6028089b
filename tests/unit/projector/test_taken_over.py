"""What stops a projection that one process keeps is waited for where several keep it, and is said where it must be."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shardlog.adapters.memory.journal import MemoryJournal
from shardlog.adapters.sql import SqlProjectionStore
from shardlog.errors import CheckpointMoved, Diverged
from shardlog.projector.runner import Projector
from shardlog.wiring import taken_over
from shardlog.wiring.taken_over import RETRY_SECONDS, TakenOver
from tests.unit.projector.bank import Opened, bank
from tests.unit.projector.log import JOURNAL, LogWriter

SHARDS = 2
Make = Callable[..., Projector]


class LateJournal(MemoryJournal):
    """It may know less of its ends than there is."""

    unknown = 0

    def offsets(self, shard: int) -> tuple[int, int]:
        earliest, end = super().offsets(shard)
        return earliest, end - self.unknown


@pytest.fixture
def journal() -> LateJournal:
    return LateJournal(SHARDS)


@pytest.fixture
def log(journal: LateJournal) -> LogWriter:
    return LogWriter(journal, SHARDS)


@pytest.fixture
def taken() -> TakenOver:
    return TakenOver("balances", JOURNAL)


@pytest.fixture
def make(journal: LateJournal, store: SqlProjectionStore, taken: TakenOver) -> Make:
    def made(**more: object) -> Projector:
        application, balances = bank()
        return Projector(journal, JOURNAL, SHARDS, application, [balances], store, passes=taken.passes, **more)  # type: ignore[arg-type]  # as the test says

    return made


def test_a_checkpoint_that_another_moves_is_read_again_and_is_told_aloud_only_where_that_goes_on(
    make: Make, log: LogWriter, store: SqlProjectionStore, taken: TakenOver, caplog: pytest.LogCaptureFixture
) -> None:
    make().drain()
    here, other = make(), make()
    for number in range(5):
        log.happened((f"a:{number}", Opened(owner="ann")))
        other.drain()
        with pytest.raises(CheckpointMoved):
            here.step()
        assert taken.goes_on(here, here.stopped["balances"]) == 0.0
        assert here.stopped == {}
        assert here.behind() == 0
    assert here.figures()[0].counts.moved == 5
    assert caplog.text.count("another process wrote while a batch was written here") == 1
    assert caplog.text.count("though its lease is held here") == 1
    assert store.builds.records()[0].stopped == ""


def test_a_shard_that_has_left_meanwhile_is_not_held_against_the_one_that_has_it(
    make: Make, log: LogWriter, taken: TakenOver, caplog: pytest.LogCaptureFixture
) -> None:
    here, other = make(), make()
    for number in range(5):
        log.happened((f"a:{number}", Opened(owner="ann")))
        other.drain()
        with pytest.raises(CheckpointMoved):
            here.step()
        taken.goes_on(here, here.stopped["balances"])
        taken.serves(())
        taken.serves(range(SHARDS))
    assert "though its lease is held here" not in caplog.text


def test_an_end_that_lies_below_a_checkpoint_is_not_believed_at_once(
    make: Make, log: LogWriter, journal: LateJournal, store: SqlProjectionStore, taken: TakenOver
) -> None:
    log.happened(("a:1", Opened(owner="ann")))
    make().drain()
    here = make(serves=())
    journal.unknown = 1
    here.assign(range(SHARDS))
    stop = here.stopped["balances"]
    assert isinstance(stop, Diverged)
    assert taken.passes(stop)
    assert taken.goes_on(here, stop) == RETRY_SECONDS
    journal.unknown = 0
    assert taken.goes_on(here, here.stopped["balances"]) == RETRY_SECONDS
    assert here.stopped == {}
    assert store.builds.records()[0].stopped == ""


def test_a_log_that_has_lost_records_stops_the_projection_in_the_end(
    make: Make,
    log: LogWriter,
    journal: LateJournal,
    store: SqlProjectionStore,
    taken: TakenOver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log.happened(("a:1", Opened(owner="ann")))
    make().drain()
    here = make(serves=())
    journal.unknown = 1
    here.assign(range(SHARDS))
    monkeypatch.setattr(taken_over, "BEHIND_SECONDS", 0.0)
    assert taken.goes_on(here, here.stopped["balances"]) is None
    with pytest.raises(Diverged):
        here.step()
    assert "has lost records" in store.builds.records()[0].stopped

"""A journal that is cut off is read and recovered from its archive; a gap between both is never passed over."""

from __future__ import annotations

from typing import Any

import pytest

from shardlog.adapters.memory.faulty import FaultyJournal
from shardlog.adapters.memory.journal import MemoryJournal
from shardlog.archive.stitching import StitchedJournal
from shardlog.errors import Diverged, HistoryMissing, Truncated
from shardlog.executor.mode import Mode
from shardlog.ports.journal import Journal
from shardlog.testing.contracts.journal import JournalContract, append
from tests.unit.executor.damages import flipped
from tests.unit.executor.ledger import Deposit
from tests.unit.executor.served import Served, everything
from tests.unit.executor.snapshots import Kept, made
from tests.unit.snapshots.archived import MemoryArchive


class TestStitchedJournalWithAnEmptyArchive(JournalContract):
    def open(self, shards: int) -> Journal:
        return StitchedJournal(MemoryJournal(shards), MemoryArchive({}))


class Stitched(StitchedJournal):
    """Over a journal whose appends land when a test says so."""

    def __init__(self, journal: FaultyJournal, archive: MemoryArchive) -> None:
        super().__init__(journal, archive)
        self.deliver_all, self.in_flight = journal.deliver_all, journal.in_flight


@pytest.fixture
def served() -> Served:
    """With ten deposits, of which the archive that a test makes knows as many as it says."""
    served = Served().serve()
    for number in range(1, 11):
        served.send("a:1", Deposit(amount=number))
    return served


def archived(served: Served, below: int) -> MemoryArchive:
    return MemoryArchive({0: [(offset, value) for offset, value in served.journal.read(0, 0) if offset < below]})


def over(served: Served, archive: MemoryArchive, **changes: Any) -> Served:
    """Another process that serves the shard from journal and archive."""
    stitched: Any = Stitched(served.journal, archive)
    return Served(stitched, world=served.restarted().world, limits=served.core.limits, **changes)


@pytest.mark.parametrize("below", [5, 7, 100], ids=["up to the cut", "beyond it", "all"])
def test_the_beginning_comes_from_the_archive_and_the_rest_from_the_journal_each_record_once(below: int) -> None:
    journal = MemoryJournal(1)
    values = [b"%d" % number for number in range(9)]
    append(journal.writer(0), *values)
    archive = MemoryArchive({0: list(enumerate(values))[:below]})
    journal.truncate(0, 5)
    stitched = StitchedJournal(journal, archive)
    for start in range(10):
        assert list(stitched.read(0, start)) == list(enumerate(values))[start:]
    assert stitched.offsets(0) == (0, 9)


def test_what_neither_holds_is_a_gap() -> None:
    journal = MemoryJournal(1)
    append(journal.writer(0), *[b"x"] * 9)
    archive = MemoryArchive({0: [(offset, b"x") for offset in range(4)]})
    journal.truncate(0, 5)
    stitched = StitchedJournal(journal, archive)
    assert stitched.offsets(0) == (5, 9)
    with pytest.raises(Truncated):
        list(stitched.read(0, 0))
    assert len(list(stitched.read(0, 5))) == 4


def test_a_shard_recovers_from_the_archive_where_it_has_no_snapshot(served: Served) -> None:
    archive = archived(served, 8)
    served.journal.truncate(0, 8)
    fresh = over(served, archive).serve()
    assert fresh.state("a:1").balance == sum(range(1, 11))
    assert fresh.version("a:1") == 10
    repeat = fresh.send("a:1", Deposit(amount=4), command_id="c-4")
    assert repeat == served.outcome(4)  # read again from its frame, which the archive has alone


def test_a_shard_recovers_from_the_archive_where_its_snapshot_does_not_hold() -> None:
    kept = Kept()
    served = Served(snapshots=kept).serve()
    for number in range(1, 6):
        served.send("a:1", Deposit(amount=number))
    key = made(served, kept)
    served.send("a:1", Deposit(amount=100))
    archive = archived(served, key.offset)
    served.journal.truncate(0, key.offset - 1)
    flipped(kept.stored, key)
    fresh = over(served, archive, snapshots=kept.again())
    fresh.step()
    assert fresh.shard.mode is Mode.CLAIMING
    assert everything(fresh.core.state) == everything(served.core.state)


def test_a_gap_between_archive_and_journal_is_refused_and_named(served: Served) -> None:
    archive = archived(served, 7)
    served.journal.truncate(0, 8)
    with pytest.raises(HistoryMissing, match="the journal begins at offset 8, and offsets 0 to 7 stand in no usable"):
        over(served, archive).step()


def test_an_archive_with_another_record_than_the_journal_had_is_found_by_the_chain(served: Served) -> None:
    archive = archived(served, 8)
    offset, value = archive.records[0][6]
    archive.records[0][6] = (offset, value.replace(b'"amount":6', b'"amount":7'))
    assert archive.records[0][6][1] != value
    served.journal.truncate(0, 8)
    with pytest.raises(Diverged):
        over(served, archive).step()

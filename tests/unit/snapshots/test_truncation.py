"""A journal is cut off below all that is needed and no further, and only where an archive holds what goes."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import pytest

from shardlog.errors import TruncationRefused
from shardlog.journal.chain import value_digest
from shardlog.snapshots.keys import SnapshotKey
from shardlog.snapshots.truncation import truncate
from tests.unit.executor.damages import flipped, rewritten
from tests.unit.executor.ledger import Deposit
from tests.unit.executor.served import HandInput, Served, everything, value
from tests.unit.executor.snapshots import NEVER, Kept, loaded, made
from tests.unit.snapshots.archived import MemoryArchive

FAR = 10**6


class Cut(NamedTuple):
    """A shard with two snapshots and records before, between and behind them."""

    served: Served
    kept: Kept
    archive: MemoryArchive
    older: SnapshotKey
    newer: SnapshotKey

    def cut(self, relay_next: int = FAR) -> int:
        return truncate(self.served.journal, self.kept.snapshots(), self.archive, relay_next)

    @property
    def begins(self) -> int:
        return self.served.journal.offsets(0)[0]


@pytest.fixture
def cut() -> Cut:
    """No window refers to anything: its commands are a feeder's."""
    feeder = HandInput()
    kept = Kept(settings=msgspec.structs.replace(NEVER, keep=2))
    served = Served(inputs=[feeder], snapshots=kept).serve()

    def deposit(times: int) -> None:
        for _ in range(times):
            feeder.put(value("a:1", Deposit(amount=1)))
            served.settle()

    deposit(5)
    older = made(served, kept)
    deposit(5)
    newer = made(served, kept)
    deposit(5)
    archive = MemoryArchive({0: list(served.journal.read(0, 0))})
    return Cut(served, kept, archive, older, newer)


def test_it_is_cut_off_below_the_record_that_the_oldest_kept_snapshot_rests_on(cut: Cut) -> None:
    assert cut.cut() == cut.begins == cut.older.offset - 1


def test_every_kept_snapshot_still_leads_to_the_state_of_now(cut: Cut) -> None:
    cut.cut()
    live = everything(cut.served.core.state)
    assert everything(loaded(cut.served, cut.kept).core.state) == live
    del cut.kept.stored[cut.newer.manifest]
    assert everything(loaded(cut.served, cut.kept).core.state) == live


def test_what_the_relay_has_still_to_carry_stays(cut: Cut) -> None:
    assert cut.cut(relay_next=2) == cut.begins == 2


def test_what_is_not_archived_stays(cut: Cut) -> None:
    del cut.archive.records[0][3:]
    assert cut.cut() == cut.begins == 3


def test_a_frame_that_a_window_refers_to_stays_so_that_a_repeat_gets_its_first_answer() -> None:
    kept = Kept(settings=msgspec.structs.replace(NEVER, keep=1))
    feeder = HandInput()
    served = Served(inputs=[feeder], snapshots=kept).serve()
    for _ in range(3):
        feeder.put(value("a:1", Deposit(amount=1)))
        served.settle()
    first = served.send("a:1", Deposit(amount=5), command_id="again")
    place = served.journal.offsets(0)[1] - 1
    for _ in range(3):
        feeder.put(value("a:1", Deposit(amount=1)))
        served.settle()
    made(served, kept)
    archive = MemoryArchive({0: list(served.journal.read(0, 0))})
    assert truncate(served.journal, kept.snapshots(), archive, FAR) == place
    fresh = loaded(served, kept)
    fresh.serve()
    assert fresh.send("a:1", Deposit(amount=5), command_id="again") == first


def test_twice_it_cuts_nothing_more(cut: Cut) -> None:
    begins = cut.cut()
    assert cut.cut() == begins


def refused(cut: Cut, match: str) -> None:
    with pytest.raises(TruncationRefused, match=match):
        cut.cut()
    assert cut.begins == 0


def test_without_an_archive_it_refuses(cut: Cut) -> None:
    with pytest.raises(TruncationRefused, match="shard 0: nothing was cut off: there is no archive"):
        truncate(cut.served.journal, cut.kept.snapshots(), None, FAR)
    assert cut.begins == 0


def test_without_a_snapshot_it_refuses(cut: Cut) -> None:
    cut.kept.stored.clear()
    refused(cut, "it has no snapshot")


def test_with_a_kept_snapshot_that_does_not_hold_it_refuses_and_names_it(cut: Cut) -> None:
    flipped(cut.kept.stored, cut.older)
    refused(cut, f"{cut.older.stem} is not used: chunk 0 is damaged.*delete this one")


def test_with_a_snapshot_of_another_history_it_refuses(cut: Cut) -> None:
    rewritten(cut.kept.stored, cut.newer, anchor=(cut.newer.offset - 1, value_digest(b"another")))
    refused(cut, "the journal has another record at offset")


def test_with_an_archive_that_holds_something_else_it_refuses(cut: Cut) -> None:
    cut.archive.records[0][1] = (1, b"something else")
    refused(cut, "the archive has another record, of offset 1, where the journal has offset 1")


def test_with_an_archive_that_has_a_hole_it_refuses(cut: Cut) -> None:
    del cut.archive.records[0][1]
    refused(cut, "the archive has another record, of offset 2, where the journal has offset 1")


def test_with_a_journal_that_cannot_be_read_it_refuses(cut: Cut) -> None:
    cut.served.journal.tear(0, 2)
    refused(cut, "cannot be compared: shard 0, offset 2")

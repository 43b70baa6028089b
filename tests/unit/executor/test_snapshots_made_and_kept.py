"""When snapshots are made, by themselves or because somebody asks, and how many are kept."""

from __future__ import annotations

from collections import deque
from typing import Any

import msgspec
import pytest

from shardlog.errors import ConfigurationError, SnapshotFailed
from shardlog.snapshots.keys import SnapshotKey
from shardlog.snapshots.settings import SnapshotSettings
from tests.unit.executor.damages import flipped
from tests.unit.executor.ledger import Deposit
from tests.unit.executor.served import JOURNAL, Served
from tests.unit.executor.snapshots import NEVER, Kept, busy, made, start_of


# -- when --------------------------------------------------------------------------------------------------------------
def test_one_is_made_by_itself_after_so_much_journal_and_not_sooner() -> None:
    kept = Kept(settings=SnapshotSettings(every_bytes=2_000, every_ms=0))
    served = Served(snapshots=kept).serve()
    written = 0
    while not kept.background.work:
        before = served.journal.offsets(0)[1]
        served.send("a:1", Deposit(amount=1))
        served.step()
        written += sum(len(v) for _, v in served.journal.read(0, before))
    assert 2_000 <= written < 3_000
    kept.background.do()
    served.send("a:1", Deposit(amount=1))
    assert kept.background.work == []


def test_one_is_made_by_itself_after_so_much_time_where_something_was_written() -> None:
    kept = Kept(settings=SnapshotSettings(every_bytes=0, every_ms=60_000))
    served = Served(snapshots=kept).serve()
    served.send("a:1", Deposit(amount=1))
    served.world.wait(59_000)
    served.step()
    assert kept.background.work == []
    served.world.wait(1_000)
    served.step()
    kept.background.do()
    served.world.wait(60_000)
    served.step()
    assert kept.background.work == []


def test_what_a_recovery_had_to_replay_counts_too() -> None:
    served = Served().serve()
    for _ in range(20):
        served.send("a:1", Deposit(amount=1))
    kept = Kept(settings=SnapshotSettings(every_bytes=2_000, every_ms=0))
    served.restarted(snapshots=kept).serve()
    assert len(kept.background.work) == 1


def test_asked_for_again_where_nothing_was_written_it_is_the_same(kept: Kept) -> None:
    served = busy(kept)
    first = made(served, kept)
    again = served.shard.snapshot()
    served.step()
    assert again.result(0) == first
    assert kept.background.work == []


def test_asked_for_while_one_is_written_another_follows(kept: Kept) -> None:
    served = busy(kept)
    first = served.shard.snapshot()
    served.step()
    served.send("a:1", Deposit(amount=1))
    second = served.shard.snapshot()
    served.step()
    kept.background.do()
    served.step(2)
    kept.background.do()
    assert first.result(0).offset < second.result(0).offset


def test_without_a_store_it_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="shard 0 has no object store for snapshots"):
        Served().serve().shard.snapshot()


def test_who_asked_is_told_when_the_shard_stops(kept: Kept) -> None:
    served = busy(kept)
    waiting, written = served.shard.snapshot(), None
    served.step()
    written, waiting = waiting, served.shard.snapshot()
    served.shard.close()
    kept.background.do()
    for asked in (waiting, written, served.shard.snapshot()):
        with pytest.raises(SnapshotFailed, match="the shard stops"):
            asked.result(0)
    assert kept.stored == {}


def test_who_asks_while_another_one_begins_is_answered(kept: Kept) -> None:
    class Meanwhile(deque[Any]):
        """Lets one more ask beside each removal."""

        def popleft(self) -> Any:
            value = super().popleft()
            self._let_in()
            return value

        def clear(self) -> None:
            self._let_in()
            super().clear()

        def _let_in(self) -> None:
            if not late:
                late.append(served.shard.snapshot())

    late: list[Any] = []
    served = busy(kept)
    assert served.shard._snapshots is not None
    served.shard._snapshots._asked = Meanwhile()
    first = made(served, kept)
    served.shard.close()
    assert late[0].result(0) == first


# -- which are kept ----------------------------------------------------------------------------------------------------
def test_so_many_are_kept_as_is_said() -> None:
    kept = Kept(settings=msgspec.structs.replace(NEVER, keep=2))
    served = Served(snapshots=kept).serve()
    keys = []
    for _ in range(4):
        served.send("a:1", Deposit(amount=1))
        keys.append(made(served, kept))
    assert kept.snapshots().newest_first() == keys[:1:-1]
    assert sorted(kept.stored) == sorted(name for key in keys[2:] for name in (key.data, key.manifest))


def test_data_without_a_manifest_go_with_the_older_ones_and_those_of_other_shards_stay() -> None:
    kept = Kept(settings=msgspec.structs.replace(NEVER, keep=1))
    served = Served(snapshots=kept).serve()
    orphan = SnapshotKey(JOURNAL, 0, 1, 1, "0" * 16).data
    foreign = SnapshotKey(JOURNAL, 1, 1, 1, "0" * 16).data
    later = SnapshotKey(JOURNAL, 0, 10**6, 9, "0" * 16)
    for name in (orphan, foreign, later.data, later.manifest):
        kept.stored[name] = b""
    served.send("a:1", Deposit(amount=1))
    key = made(served, kept)
    assert sorted(kept.stored) == sorted([foreign, later.data, later.manifest, key.data, key.manifest])


def test_one_that_was_found_unusable_is_not_among_those_to_be_kept() -> None:
    kept = Kept(settings=msgspec.structs.replace(NEVER, keep=2))
    served = Served(snapshots=kept).serve()
    served.send("a:1", Deposit(amount=1))
    good = made(served, kept)
    served.send("a:1", Deposit(amount=1))
    bad = made(served, kept)
    flipped(kept.stored, bad)
    again = kept.again()
    fresh = served.restarted(snapshots=again).serve()
    assert start_of(fresh) == good
    fresh.send("a:1", Deposit(amount=1))
    newest = made(fresh, again)
    assert kept.snapshots().newest_first() == [newest, bad, good]

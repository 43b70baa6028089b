"""A snapshot that does not hold is passed over: the one before is loaded, the journal is replayed, or it refuses."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from shardlog.errors import HistoryMissing
from tests.unit.executor.damages import DAMAGES, flipped
from tests.unit.executor.ledger import Deposit, Note
from tests.unit.executor.served import Served, everything, replayed
from tests.unit.executor.snapshots import Kept, MemoryObjects, busy, loaded, made, start_of


# -- damaged -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("damage", "said"), DAMAGES, ids=[damage.__name__ for damage, _ in DAMAGES])
def test_the_one_before_is_loaded_where_the_newest_does_not_hold(
    kept: Kept, caplog: pytest.LogCaptureFixture, damage: Any, said: str
) -> None:
    served = busy(kept)
    older = made(served, kept)
    served.send("a:1", Deposit(amount=1))
    damage(kept.stored, made(served, kept))
    fresh = loaded(served, kept)
    assert start_of(fresh) == older
    assert everything(fresh.core.state) == everything(served.core.state) == replayed(served)
    assert said in caplog.text
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


@pytest.mark.parametrize(("damage", "said"), DAMAGES, ids=[damage.__name__ for damage, _ in DAMAGES])
def test_the_journal_is_replayed_where_none_holds(kept: Kept, damage: Any, said: str) -> None:
    served = busy(kept)
    damage(kept.stored, made(served, kept))
    fresh = loaded(served, kept)
    assert start_of(fresh) is None
    assert everything(fresh.core.state) == everything(served.core.state) == replayed(served)
    assert fresh.shard._snapshots is not None
    assert said in fresh.shard._snapshots.refused[0]


def test_any_flipped_bit_is_noticed(kept: Kept) -> None:
    served = Served(snapshots=kept).serve()
    served.send("a:1", Deposit(amount=1))
    key = made(served, kept)
    whole = dict(kept.stored)
    for name in (key.data, key.manifest):
        for place in range(0, len(whole[name]), 7):
            damaged = bytearray(whole[name])
            damaged[place] ^= 1 << (place % 8)
            kept.stored[name] = bytes(damaged)
            fresh = loaded(served, kept)
            assert start_of(fresh) is None or bytes(damaged) == whole[name], (name, place)
            assert everything(fresh.core.state) == everything(served.core.state)
        kept.stored[name] = whole[name]


def test_a_snapshot_that_is_removed_while_it_is_loaded_is_not_used(kept: Kept) -> None:
    class Vanishing(MemoryObjects):
        def get(self, key: str) -> Iterator[bytes]:
            for piece in super().get(key):
                yield piece[: len(piece) // 2]
                if key.endswith(".data"):
                    self.delete(key)
                yield piece[len(piece) // 2 :]

    served = busy(kept)
    for n in range(300):
        served.submit(f"more:{n}", Note(text=str(n)))
    older = made(served, kept)
    served.send("a:1", Deposit(amount=1))
    newest = made(served, kept)
    vanishing = Vanishing()
    vanishing.values = dict(kept.stored)
    assert len(vanishing.values[newest.data]) > 2_000
    fresh = loaded(served, Kept(vanishing))
    assert start_of(fresh) is None
    assert fresh.shard._snapshots is not None
    assert [text.split(":")[0] for text in fresh.shard._snapshots.refused] == [
        f"snapshot {key.stem} is not used" for key in (newest, older)
    ]
    assert everything(fresh.core.state) == everything(served.core.state)


def test_an_end_that_was_read_stale_condemns_no_snapshot(
    kept: Kept, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Rule T1: the end as known may be a stale one, and the record that a snapshot rests on stands behind it."""
    served = busy(kept)
    key = made(served, kept)
    read = served.journal.read
    monkeypatch.setattr(served.journal, "read", lambda shard, start: (r for r in read(shard, start) if r[0] < 2))
    stale = loaded(served, kept)
    assert start_of(stale) is None
    assert "a stale end was read" in caplog.text
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
    monkeypatch.setattr(served.journal, "read", read)
    assert start_of(loaded(served, kept)) == key


# -- nothing reaches back ----------------------------------------------------------------------------------------------
def test_a_truncated_journal_is_served_from_a_snapshot(kept: Kept) -> None:
    served = busy(kept)
    made(served, kept)
    served.send("a:1", Deposit(amount=1))
    live = everything(served.core.state)
    served.journal.truncate(0, kept.snapshots().manifest(kept.snapshots().newest_first()[0]).about.anchor[0])
    assert everything(loaded(served, kept).core.state) == live


def test_where_nothing_reaches_back_the_shard_refuses_and_names_the_gap(kept: Kept) -> None:
    served = busy(kept)
    key = made(served, kept)
    served.send("a:1", Deposit(amount=1))
    served.journal.truncate(0, key.offset - 1)
    flipped(kept.stored, key)
    fresh = served.restarted(snapshots=kept.again())
    gap = f"begins at offset {key.offset - 1}, and offsets 0 to {key.offset - 2} stand in no usable snapshot"
    with pytest.raises(HistoryMissing, match=rf"{gap} .*the checksum does not hold"):
        fresh.step()
    bare = served.restarted()
    with pytest.raises(HistoryMissing, match="there is none"):
        bare.step()

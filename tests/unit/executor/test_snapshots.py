"""A snapshot holds the acknowledged state of its moment, whatever happens while it is made; a recovery from it gives
what a replay gives."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from shardlog.executor.held import HeldStreams
from shardlog.executor.mode import Mode
from shardlog.journal.reader import Reader
from shardlog.snapshots.slot import Slot
from tests.unit.executor.ledger import Deposit, Note, Transfer
from tests.unit.executor.served import Served, everything, replayed
from tests.unit.executor.snapshots import Kept, MemoryObjects, busy, loaded, made, start_of
from tests.unit.executor.test_replay import HAPPENINGS, Walk


def test_a_recovery_from_a_snapshot_gives_what_a_replay_gives(kept: Kept) -> None:
    served = busy(kept)
    key = made(served, kept)
    fresh = loaded(served, kept)
    assert start_of(fresh) == key
    assert everything(fresh.core.state) == everything(served.core.state) == replayed(served)
    assert fresh.shard._replay is not None


def test_frames_behind_the_snapshot_are_replayed(kept: Kept) -> None:
    served = busy(kept)
    made(served, kept)
    served.send("a:1", Deposit(amount=1))
    fresh = loaded(served, kept)
    assert everything(fresh.core.state) == everything(served.core.state) == replayed(served)
    assert fresh.writer.reader.state == served.writer.reader.state


def test_commands_go_on_while_it_is_written_and_are_not_in_it(kept: Kept) -> None:
    served = busy(kept)
    before = everything(served.core.state)
    asked = served.shard.snapshot()
    served.step()
    assert len(kept.background.work) == 1
    for n in range(20):
        served.send(f"c:{n}", Deposit(amount=100))
        served.send(f"c:{n}", Deposit(amount=1))
        served.send(f"new:{n}", Note(text="new"))
    served.send("a:1", Transfer(to="a:2", amount=1, audited=True))
    served.send("a:1", Transfer(to="a:3", amount=1, audited=True))
    kept.background.do()
    newest = kept.again().snapshots().open(asked.result(0))
    streams = {(s.category, s.id): (s.version, s.state) for s in newest.streams()}
    assert streams == before["streams"]
    fresh = loaded(served, kept)
    assert everything(fresh.core.state) == everything(served.core.state) == replayed(served)


def test_it_holds_no_frame_that_is_not_acknowledged(kept: Kept) -> None:
    served = busy(kept)
    for n in range(3):
        served.submit("a:1", Deposit(amount=n + 1))
        served.step()
    asked = served.shard.snapshot()
    served.step()
    served.submit("a:1", Deposit(amount=1_000_000))
    served.step()
    assert served.core.pending == 4
    assert kept.background.work == []
    flights = served.journal.in_flight()
    for flight in flights[:2]:
        served.journal.deliver(flight)
    served.shard._take_reports()
    assert kept.background.work == []
    served.journal.deliver(flights[2])
    served.shard._take_reports()
    assert len(kept.background.work) == 1
    acknowledged = served.state("a:1").balance - 1_000_000
    kept.background.do()
    assert asked.done()
    stored = {s.id: s.state for s in kept.snapshots().open(asked.result(0)).streams() if s.category == "account"}
    assert stored["a:1"].balance == acknowledged


def test_a_failed_append_drops_it_and_the_next_one_begins_anew(kept: Kept) -> None:
    served = busy(kept)
    served.submit("a:1", Deposit(amount=50))
    served.step()
    asked = served.shard.snapshot()
    served.step()
    served.journal.lose(served.journal.in_flight()[0])
    served.journal.fail(served.journal.flights[-1])
    served.step()
    assert served.shard.mode is Mode.BACKING_OFF
    assert kept.background.work == []
    assert not kept.background.is_taken
    assert not asked.done()
    served.settle()
    kept.background.do()
    assert asked.result(0).epoch == 2
    fresh = loaded(served, kept)
    assert everything(fresh.core.state) == everything(served.core.state) == replayed(served)


def test_a_failure_while_it_is_written_changes_nothing_in_it(kept: Kept) -> None:
    served = busy(kept)
    asked = served.shard.snapshot()
    served.step()
    before = everything(served.core.state)["streams"]
    served.submit("a:1", Deposit(amount=50))
    served.step()
    served.journal.land(served.journal.in_flight()[0])
    served.journal.fail(served.journal.flights[-1])
    served.settle()
    kept.background.do()
    stored = kept.snapshots().open(asked.result(0))
    assert {(s.category, s.id): (s.version, s.state) for s in stored.streams()} == before
    fresh = loaded(served, kept)
    assert everything(fresh.core.state) == everything(served.core.state) == replayed(served)


def test_frames_of_another_writer_replayed_while_it_is_written_are_not_in_it(kept: Kept) -> None:
    served = busy(kept)
    before = everything(served.core.state)["streams"]
    asked = served.shard.snapshot()
    served.step()
    other = served.restarted().serve()
    for n in range(20):
        other.send(f"c:{n}", Deposit(amount=1_000), command_id=f"other-{n}")
    served.submit("a:1", Deposit(amount=1))
    served.settle()
    assert served.writer.reader.epoch == 3
    assert served.state("c:5").balance > 1_000
    kept.background.do()
    stored = kept.snapshots().open(asked.result(0))
    assert {(s.category, s.id): (s.version, s.state) for s in stored.streams()} == before


def test_ids_that_come_while_it_is_written_are_not_in_it(kept: Kept) -> None:
    served = busy(kept)
    counts = len(served.core.state.requests), served.core.state.counted.count
    asked = served.shard.snapshot()
    served.step()
    for n in range(40):
        served.send("a:1", Deposit(amount=1), command_id=f"later-{n}")
    kept.background.do()
    chunks = kept.snapshots().manifest(asked.result(0)).chunks
    assert sum(c.entries for c in chunks if c.kind == "requests") == counts[0] > 20
    assert sum(c.entries for c in chunks if c.kind == "counted") == counts[1] == 20


def test_streams_are_held_as_they_were_whatever_is_written_in_between() -> None:
    one, two, three = Slot(1, "one"), Slot(2, "two"), Slot(3, "three")
    buckets = [{"a": one}, {"b": one, "c": two}]
    held = HeldStreams(buckets)

    def write(index: int, id: str, slot: Slot[str]) -> None:
        if held.marks[index]:
            held.overwritten[index].setdefault(id, buckets[index].get(id))
        buckets[index][id] = slot

    released = held.release()
    write(1, "b", two)
    assert next(released) == {"a": one}
    assert held.marks == b"\0\1"
    for slot in (two, three):
        write(0, "a", slot)
        write(1, "b", slot)
        write(1, "new", slot)
    assert next(released) == {"b": one, "c": two}
    assert held.marks == b"\0\0"
    assert next(released, None) is None
    assert buckets == [{"a": three}, {"b": three, "c": two, "new": three}]


class SnapshotWalk(Walk):
    """A walk with snapshots; the background works when it happens to."""

    def __init__(self) -> None:
        super().__init__()
        self.kept = Kept()
        self.asked: list[Any] = []
        self.served = Served(
            inputs=[self.feeder, self.topic],
            shards=2,
            number=1,
            limits=self.served.core.limits,
            snapshots=self.kept,
        ).serve()

    def happen(self, what: str, *how: Any) -> None:
        if what == "ask":
            self.asked.append(self.served.shard.snapshot())
        elif what == "work":
            self.kept.background.do()
        elif what == "restart":
            self.served.settle()
            self.served.shard.close()
            self.kept.background.do()
            self.kept = self.kept.again()
            self.served = self.served.restarted(snapshots=self.kept).serve()
        else:
            super().happen(what, *how)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(HAPPENINGS, st.tuples(st.sampled_from(["ask", "work", "restart"]))), max_size=60))
def test_whatever_happens_every_snapshot_leads_to_what_a_replay_leads_to(happenings: list[tuple[Any, ...]]) -> None:
    walk = SnapshotWalk()
    for happening in happenings:
        walk.happen(*happening)
    walk.served.settle()
    walk.kept.background.do()
    live = everything(walk.served.core.state)
    assert live == replayed(walk.served)
    snapshots = walk.kept.snapshots(1)
    for key in snapshots.newest_first():
        only = MemoryObjects()
        only.values = {k: v for k, v in walk.kept.stored.items() if k.startswith(key.stem)}
        fresh = loaded(walk.served, Kept(only))
        assert start_of(fresh) == key
        assert everything(fresh.core.state) == live
        assert fresh.writer.reader.state == walk.served.writer.reader.state


def test_the_reader_goes_on_with_the_record_that_the_snapshot_rests_on(kept: Kept) -> None:
    """A second snapshot, before any new record, has its anchor all the same."""
    served = busy(kept)
    made(served, kept)
    fresh = loaded(served, kept)
    assert isinstance(fresh.writer.reader, Reader)
    assert fresh.writer.reader.last_valid == served.writer.reader.last_valid

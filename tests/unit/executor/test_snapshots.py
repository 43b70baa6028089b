"""A snapshot holds the acknowledged state of its moment, whatever happens while it is made; a recovery from it gives
what a replay gives, and a snapshot that does not hold is passed over."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shardlog import Aggregate, Application, Command, Domain, Event, State, replace
from shardlog.errors import ConfigurationError, HistoryMissing, ObjectStoreFailed, SnapshotFailed
from shardlog.executor.held import HeldStreams
from shardlog.executor.limits import Limits
from shardlog.executor.mode import Mode
from shardlog.journal.reader import Reader
from shardlog.snapshots.keys import SnapshotKey
from shardlog.snapshots.manifest import checksum, decode_manifest
from shardlog.snapshots.reading import Snapshot
from shardlog.snapshots.settings import SnapshotSettings
from shardlog.snapshots.slot import Slot
from tests.unit.executor.ledger import Deposit, Note, Pay, Transfer
from tests.unit.executor.served import JOURNAL, HandInput, Served, everything, origin, replayed, value
from tests.unit.executor.snapshots import NEVER, Kept, MemoryObjects
from tests.unit.executor.test_replay import HAPPENINGS, Walk


@pytest.fixture
def kept() -> Kept:
    return Kept()


def made(served: Served, kept: Kept) -> SnapshotKey:
    """A snapshot of what is acknowledged once all is settled."""
    asked = served.shard.snapshot()
    served.settle()
    kept.background.do()
    served.step()
    return asked.result(0)


def loaded(served: Served, kept: Kept, **changes: Any) -> Served:
    """Another process that has recovered, and not served yet."""
    fresh = served.restarted(snapshots=kept.again(), **changes)
    fresh.step()
    assert fresh.shard.mode is Mode.CLAIMING, fresh.shard.error
    return fresh


def start_of(served: Served) -> SnapshotKey | None:
    """The snapshot that a shard's recovery began with."""
    assert served.shard._snapshots is not None
    return served.shard._snapshots._newest


def busy(kept: Kept) -> Served:
    """A shard to which a bit of everything happened."""
    feeder, topic = HandInput("feeder:f:1"), HandInput("kafka:t:1")
    served = Served(inputs=[feeder, topic], snapshots=kept).serve()
    for n in range(20):
        served.submit(f"c:{n}", Deposit(amount=n + 1))
        feeder.put(value("a:1", Deposit(amount=5)))
        topic.put(value("b:1", Deposit(amount=7), command_id=f"t-{n}"))
    served.settle()
    topic.put(value("b:1", Deposit(amount=1), command_id="s", origin=origin((1, 1, 0), None, shard=0)))
    served.send("a:1", Pay(to="b:1", amount=3, payment="p"))
    served.send("a:1", Transfer(to="a:2", amount=4, audited=True))
    return served


# -- what a snapshot holds ---------------------------------------------------------------------------------------------
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


# -- a store that does not do it ---------------------------------------------------------------------------------------
def test_a_full_store_fails_the_snapshot_and_nothing_else(kept: Kept, caplog: pytest.LogCaptureFixture) -> None:
    served = busy(kept)
    assert isinstance(kept.objects, MemoryObjects)
    kept.objects.full_after = 100
    asked = served.shard.snapshot()
    served.step()
    kept.background.do()
    with pytest.raises(SnapshotFailed, match="no space left"):
        asked.result(0)
    assert "no snapshot at" in caplog.text and "no space left" in caplog.text
    kept.objects.full_after = None
    served.send("a:1", Deposit(amount=1))
    assert made(served, kept).manifest in kept.stored


def test_after_a_failure_the_next_one_waits_for_the_retry() -> None:
    kept = Kept(settings=SnapshotSettings(every_bytes=1, every_ms=0, retry_ms=1_000))
    served = Served(snapshots=kept).serve()
    assert isinstance(kept.objects, MemoryObjects)
    kept.objects.fails = True
    served.send("a:1", Deposit(amount=1))
    served.step()
    kept.background.do()
    served.send("a:1", Deposit(amount=1))
    served.step()
    assert kept.background.work == []
    kept.objects.fails = False
    served.world.wait(1_000)
    served.step()
    kept.background.do()
    assert len(kept.snapshots().newest_first()) == 1


def test_a_store_that_does_not_answer_at_recovery_leaves_the_replay(
    kept: Kept, caplog: pytest.LogCaptureFixture
) -> None:
    served = busy(kept)
    made(served, kept)
    assert isinstance(kept.objects, MemoryObjects)
    kept.objects.fails = True
    fresh = loaded(served, kept)
    assert start_of(fresh) is None
    assert everything(fresh.core.state) == everything(served.core.state)
    assert "permission denied" in caplog.text


def test_a_state_without_a_json_form_fails_the_snapshot_and_nothing_else(kept: Kept) -> None:
    served = busy(kept)
    category = served.core.state.registry.categories["account"]
    slot = category.slot("a:1")
    assert slot is not None
    broken = msgspec.structs.replace(slot, state=replace(slot.state, balance=object()))
    category.put_back("a:1", broken)
    asked = served.shard.snapshot()
    served.step()
    kept.background.do()
    with pytest.raises(SnapshotFailed, match="object has no JSON form"):
        asked.result(0)
    category.put_back("a:1", slot)
    assert served.send("c:1", Deposit(amount=1)).events


# -- snapshots that do not hold ----------------------------------------------------------------------------------------
def halved(stored: dict[str, bytes], key: SnapshotKey) -> None:
    stored[key.data] = stored[key.data][: len(stored[key.data]) // 2]


def flipped(stored: dict[str, bytes], key: SnapshotKey) -> None:
    middle = len(stored[key.data]) // 2
    stored[key.data] = (
        stored[key.data][:middle] + bytes([stored[key.data][middle] ^ 1]) + stored[key.data][middle + 1 :]
    )


def longer(stored: dict[str, bytes], key: SnapshotKey) -> None:
    stored[key.data] += b"\0"


def without_data(stored: dict[str, bytes], key: SnapshotKey) -> None:
    del stored[key.data]


def manifest_halved(stored: dict[str, bytes], key: SnapshotKey) -> None:
    stored[key.manifest] = stored[key.manifest][: len(stored[key.manifest]) // 2]


def manifest_flipped(stored: dict[str, bytes], key: SnapshotKey) -> None:
    stored[key.manifest] = stored[key.manifest].replace(b'"state_digest":"', b'"state_digest":"0', 1)


def manifest_empty(stored: dict[str, bytes], key: SnapshotKey) -> None:
    stored[key.manifest] = b""


def of_newer_code(stored: dict[str, bytes], key: SnapshotKey) -> None:
    stored[key.manifest] = b'["shardlog","snapshot",2,{"anything":true}]'


def rewritten(stored: dict[str, bytes], key: SnapshotKey, **changes: Any) -> None:
    """A manifest whose checksum holds, and that says something else."""
    manifest = decode_manifest(key.stem, stored[key.manifest])
    body = msgspec.Raw(
        msgspec.json.encode(msgspec.structs.replace(manifest, about=msgspec.structs.replace(manifest.about, **changes)))
    )
    stored[key.manifest] = msgspec.json.encode(["shardlog", "snapshot", 1, checksum(body), body])


def of_another_journal(stored: dict[str, bytes], key: SnapshotKey) -> None:
    rewritten(stored, key, journal="1d9ab5de-9d0b-4b57-8d6f-6a4a7f6b6a11")


def of_another_history(stored: dict[str, bytes], key: SnapshotKey) -> None:
    offset = decode_manifest(key.stem, stored[key.manifest]).about.anchor[0]
    rewritten(stored, key, anchor=(offset, "0" * 64))


def beyond_the_log(stored: dict[str, bytes], key: SnapshotKey) -> None:
    moved = key._replace(offset=key.offset + 1_000)
    stored[moved.manifest], stored[moved.data] = stored.pop(key.manifest), stored.pop(key.data)
    rewritten_as(stored, key, moved)


def rewritten_as(stored: dict[str, bytes], key: SnapshotKey, moved: SnapshotKey) -> None:
    manifest = decode_manifest(key.stem, stored[moved.manifest])
    rewritten(stored, moved, next=moved.offset, anchor=(moved.offset - 1, manifest.about.anchor[1]))


def of_another_window(stored: dict[str, bytes], key: SnapshotKey) -> None:
    rewritten(stored, key, dedupe_window_ms=1)


DAMAGES = [
    (halved, "its data end in chunk"),
    (flipped, "is damaged: the checksum does not hold"),
    (longer, "data behind its last chunk"),
    (without_data, "its data are gone"),
    (manifest_halved, "its manifest is damaged"),
    (manifest_flipped, "its manifest is damaged: the checksum does not hold"),
    (manifest_empty, "its manifest is damaged"),
    (of_newer_code, "it is of format 2, and this code reads format 1: newer code wrote it"),
    (of_another_journal, "its manifest is of 1d9ab5de"),
    (of_another_history, "the journal has another record at offset"),
    (beyond_the_log, "and the journal ends at"),
    (of_another_window, "it was made with dedupe_window_ms 1, and now it is 60000"),
]


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


# -- other types -------------------------------------------------------------------------------------------------------
class Put(Command, name="put"):
    amount: int


class WasPut(Event, name="was_put"):
    amount: int


def shelf(fields: Mapping[str, Any]) -> Application:
    """An aggregate whose state has these fields, each with its default."""
    types = {name: type(default) for name, default in fields.items()}
    state_type: Any = type("Shelf", (State,), {"__annotations__": types, **fields, "__module__": __name__})
    aggregate: Any = Aggregate("account", initial=state_type(), routing_parts=1)

    @aggregate.decides  # type: ignore[untyped-decorator]
    def put(state: state_type, command: Put) -> WasPut:  # type: ignore[valid-type]
        return WasPut(amount=command.amount)

    @aggregate.evolves  # type: ignore[untyped-decorator]
    def was_put(state: state_type, event: WasPut) -> state_type:  # type: ignore[valid-type]
        return replace(state, amount=state.amount + event.amount)  # type: ignore[attr-defined]

    return Application([Domain("shelves", aggregates=[aggregate])])


@pytest.mark.parametrize(
    "fields", [{"amount": 0, "more": 1}, {"amount": 5}], ids=["another field", "another beginning"]
)
def test_a_snapshot_of_another_state_type_is_not_used(caplog: pytest.LogCaptureFixture, fields: Any) -> None:
    kept = Kept(application=shelf({"amount": 0}))
    served = Served(application=kept.application, snapshots=kept).serve()
    served.send("a:1", Put(amount=3))
    made(served, kept)
    other = shelf(fields)
    fresh = served.restarted(application=other, snapshots=kept.again(application=other)).serve()
    assert "the state type of 'account' is another now" in caplog.text
    assert fresh.state("a:1").amount == fields["amount"] + 3


class Weigh(Command):
    grams: int


class Weighed(Event):
    grams: int


def scales() -> Application:
    """Whole kilos are ints where a float is declared: they would come back as other values and other texts."""

    class Weight(State, floats=True):
        kilos: float = 0.0

    scale: Aggregate[Any, Any, Any] = Aggregate("account", initial=Weight(), routing_parts=1)

    @scale.decides
    def weigh(state: Weight, command: Weigh) -> Weighed:
        return Weighed(grams=command.grams)

    @scale.evolves
    def weighed(state: Weight, event: Weighed) -> Weight:
        return replace(state, kilos=event.grams / 1000 if event.grams % 1000 else event.grams // 1000)

    return Application([Domain("scales", aggregates=[scale])])


def test_a_state_that_is_not_what_its_json_gives_back_is_not_used(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    kept = Kept(application=scales())
    served = Served(application=kept.application, snapshots=kept).serve()
    served.send("a:1", Weigh(grams=3000))
    with monkeypatch.context() as unread:  # as one whose process ended before it was read back
        unread.setattr(Snapshot, "check", lambda self, pace: None)
        made(served, kept)
    fresh = loaded(served, kept)
    assert start_of(fresh) is None
    assert "a state is not what its JSON gives back" in caplog.text


def test_a_snapshot_of_an_aggregate_that_is_no_more_is_not_used(caplog: pytest.LogCaptureFixture) -> None:
    kept = Kept()
    served = busy(kept)
    made(served, kept)
    fresh = served.restarted(application=shelf({"amount": 0}), snapshots=kept.again(application=shelf({"amount": 0})))
    assert start_of(fresh) is None


def test_a_snapshot_stays_usable_when_an_aggregate_is_added() -> None:
    one = shelf({"amount": 0})
    kept = Kept(application=one)
    served = Served(application=one, snapshots=kept).serve()
    served.send("a:1", Put(amount=3))
    key = made(served, kept)

    class Lamp(State):
        is_lit: bool = False

    two = Application([*one.domains, Domain("lamps", aggregates=[Aggregate("lamp", initial=Lamp())])])
    fresh = served.restarted(application=two, snapshots=kept.again(application=two)).serve()
    assert start_of(fresh) == key
    assert fresh.state("a:1").amount == 3


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


def test_the_reader_goes_on_with_the_record_that_the_snapshot_rests_on(kept: Kept) -> None:
    """A second snapshot, before any new record, has its anchor all the same."""
    served = busy(kept)
    made(served, kept)
    fresh = loaded(served, kept)
    assert isinstance(fresh.writer.reader, Reader)
    assert fresh.writer.reader.last_valid == served.writer.reader.last_valid


def test_limits_of_the_counted_window_may_change(kept: Kept) -> None:
    served = busy(kept)
    made(served, kept)
    fresh = loaded(served, kept, limits=Limits(dedupe_counted_ids_max=3))
    assert start_of(fresh) is not None


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


# -- what was written is read back -------------------------------------------------------------------------------------
def failed(served: Served, kept: Kept) -> BaseException:
    """Why no snapshot was made."""
    asked = served.shard.snapshot()
    served.settle()
    kept.background.do()
    served.step()
    error = asked.exception(0)
    assert isinstance(error, SnapshotFailed)
    return error


def test_one_that_cannot_be_loaded_is_deleted_again_and_pushes_out_none_that_can() -> None:
    kept = Kept(application=scales(), settings=msgspec.structs.replace(NEVER, keep=1))
    served = Served(application=kept.application, snapshots=kept).serve()
    served.send("a:1", Weigh(grams=1500))
    good = made(served, kept)
    served.send("a:1", Weigh(grams=3000))
    for _ in range(2):
        assert "a state is not what its JSON gives back" in str(failed(served, kept))
        assert sorted(kept.stored) == [good.data, good.manifest]
    served.send("a:1", Weigh(grams=4500))
    newest = made(served, kept)
    assert sorted(kept.stored) == [newest.data, newest.manifest]


class Refusing(MemoryObjects):
    """refuses: puts, gets and deletes of keys that end so raise. keeps: a put keeps the value all the same."""

    def __init__(self) -> None:
        super().__init__()
        self.refuses: dict[str, str] = {}
        self.keeps = False

    def put(self, key: str, chunks: Iterable[bytes]) -> None:
        if self.keeps or not self._is_refused("put", key):
            super().put(key, chunks)
        self._refuse("put", key)

    def get(self, key: str) -> Iterator[bytes]:
        self._refuse("get", key)
        return super().get(key)

    def delete(self, key: str) -> None:
        self._refuse("delete", key)
        super().delete(key)

    def _is_refused(self, what: str, key: str) -> bool:
        return key.endswith(self.refuses.get(what, "nothing"))

    def _refuse(self, what: str, key: str) -> None:
        if self._is_refused(what, key):
            raise ObjectStoreFailed(f"no {what} of {key}")


@pytest.fixture
def refusing() -> Refusing:
    return Refusing()


@pytest.mark.parametrize("keeps", [False, True], ids=["refused", "kept without an answer"])
def test_an_idle_shard_makes_the_snapshot_whose_manifest_was_refused(refusing: Refusing, keeps: bool) -> None:
    kept = Kept(refusing)
    served = busy(kept)
    refusing.refuses, refusing.keeps = {"put": ".manifest"}, keeps
    assert "no put of" in str(failed(served, kept))
    assert kept.stored == {}
    refusing.refuses = {}
    key = made(served, kept)
    assert sorted(kept.stored) == [key.data, key.manifest]


def test_half_a_snapshot_that_could_not_be_deleted_goes_before_the_next_try(
    refusing: Refusing, caplog: pytest.LogCaptureFixture
) -> None:
    kept = Kept(refusing)
    served = busy(kept)
    refusing.refuses = {"put": ".manifest", "delete": ".data"}
    assert "no put of" in str(failed(served, kept))
    assert "is left behind: no delete of" in caplog.text
    assert [name.rpartition(".")[2] for name in kept.stored] == ["data"]
    refusing.refuses = {}
    assert start_of(served) is None
    key = made(served, kept)
    assert start_of(loaded(served, kept)) == key


def test_one_that_could_not_be_read_back_is_read_at_the_next_try_and_not_written_again(refusing: Refusing) -> None:
    kept = Kept(refusing)
    served = busy(kept)
    refusing.refuses = {"get": ".data"}
    assert "no get of" in str(failed(served, kept))
    stood = dict(kept.stored)
    assert len(stood) == 2
    refusing.refuses = {"put": ".data"}
    key = made(served, kept)
    assert kept.stored == stood and key.manifest in stood


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

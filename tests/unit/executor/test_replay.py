"""Replay of the frames gives what was live, to the last window; and going back gives what was acknowledged."""

from __future__ import annotations

import copy
from bisect import bisect_left
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shardlog import Command
from shardlog.errors import ClockBehind, Diverged, ReplayFailed, UnknownFormat
from shardlog.executor.mode import Mode
from shardlog.ids import uuid7
from shardlog.journal.chain import head0
from shardlog.journal.envelope import claim_value, frame_value
from shardlog.journal.reader import Reader
from shardlog.journal.records import ClaimBody, encode_claim
from tests.unit.executor.ledger import (
    Crash,
    Deposit,
    Draw,
    Faulty,
    Look,
    Note,
    Pay,
    Receive,
    Split,
    Transfer,
    Withdraw,
)
from tests.unit.executor.served import (
    JOURNAL,
    SECOND,
    TIME,
    HandInput,
    Served,
    everything,
    origin,
    record,
    replayed,
    value,
)

IDS = st.sampled_from(["a:1", "a:2", "b:1", "b:2", "c:1"])
AMOUNTS = st.sampled_from([1, 5, 13, 1_000])
COMMANDS: st.SearchStrategy[Command] = st.one_of(
    st.builds(Deposit, amount=AMOUNTS),
    st.builds(Withdraw, amount=AMOUNTS),
    st.builds(Transfer, to=IDS, amount=AMOUNTS, audited=st.booleans()),
    st.builds(Split, parts=st.integers(0, 4)),
    st.builds(Pay, to=IDS, amount=AMOUNTS, payment=st.sampled_from("pqr")),
    st.builds(Receive, source=IDS, amount=AMOUNTS, payment=st.sampled_from("pqr")),
    st.builds(Note, text=st.text(max_size=5), times=st.integers(0, 2)),
    st.builds(Crash, how=st.sampled_from(["raises", "unreadable event"])),
    st.just(Look()),
    st.just(Draw()),
)
COMMAND_IDS = st.one_of(
    st.sampled_from([f"plain-{n}" for n in range(8)]),
    st.builds(lambda s, n: uuid7(TIME + s * SECOND, bytes([n] * 10)), st.integers(-70, 20), st.integers(0, 2)),
)
EXTRAS = st.fixed_dictionaries(
    {},
    optional={"expected_version": st.integers(0, 3), "occurred_at": st.just(TIME - SECOND), "tenant": st.just("acme")},
)
REQUESTS = st.tuples(st.just("request"), IDS, COMMANDS, COMMAND_IDS, EXTRAS)
RECORDS = st.tuples(st.sampled_from(["feeder", "kafka"]), IDS, COMMANDS, COMMAND_IDS, EXTRAS)
SENDS = st.tuples(st.just("send"), IDS, COMMANDS, st.integers(0, 6), st.booleans())
HAPPENINGS = st.one_of(
    REQUESTS,
    RECORDS,
    SENDS,
    st.tuples(st.just("junk"), st.binary(max_size=20)),
    st.tuples(st.just("time"), st.integers(0, 30_000)),
    st.tuples(st.sampled_from(["build", "acknowledge", "settle", "fail"])),
)


class Walk:
    """A shard to which things happen, and what it knew when its frames were acknowledged last."""

    def __init__(self) -> None:
        self.feeder, self.topic = HandInput("feeder:f:1"), HandInput("kafka:t:1")
        self.served = Served(
            inputs=[self.feeder, self.topic],
            shards=2,
            number=1,
            limits={"dedupe_ids_max": 40, "dedupe_counted_ids_max": 10, "frame_commands_max": 5},
        ).serve()

    def happen(self, what: str, *how: Any) -> None:
        served = self.served
        if what == "request":
            id, command, command_id, more = how
            served.submit(id, command, command_id=command_id, **more)
        elif what in ("feeder", "kafka"):
            id, command, command_id, more = how
            source = self.feeder if what == "feeder" else self.topic
            source.put(value(id, command, command_id=command_id, **more))
        elif what == "send":
            id, command, number, has_gap = how
            previous = None if number == 0 else (1, 1, number - 1 + has_gap)
            self.topic.put(value(id, command, command_id="s", origin=origin((1, 1, number), previous)))
        elif what == "junk":
            self.feeder.put(*how)
        elif what == "time":
            served.world.wait(*how)
        elif what == "build":
            served.step()
        elif what == "acknowledge":
            for flight in served.journal.in_flight(1)[:1]:
                served.journal.deliver(flight)
            served.shard._take_reports()
        elif what == "settle":
            served.settle()
        else:
            self.fail()

    def fail(self) -> None:
        """Some of what is on its way lands, unreported, and the rest does not."""
        served = self.served
        flights = served.journal.in_flight(1)
        for flight in flights[: len(flights) // 2]:
            served.journal.land(flight)
        for flight in flights[len(flights) // 2 :]:
            served.journal.lose(flight)
        if flights:
            served.journal.fail(flights[0])
        served.settle()


@settings(max_examples=150, deadline=None)
@given(st.lists(HAPPENINGS, max_size=60))
def test_replay_gives_what_was_live(happenings: list[tuple[Any, ...]]) -> None:
    """Streams, inputs, sends, arrivals, time, both windows: a function of the valid frames, and of nothing else."""
    walk = Walk()
    for what, *how in happenings:
        walk.happen(what, *how)
    walk.served.settle()
    assert replayed(walk.served) == everything(walk.served.core.state)
    assert len(walk.served.sink.outcomes) == walk.served._sent


@settings(max_examples=150, deadline=None)
@given(st.lists(HAPPENINGS, max_size=40))
def test_going_back_gives_what_was_acknowledged(happenings: list[tuple[Any, ...]]) -> None:
    """Rule F2: whatever is pending, undoing it leaves what the acknowledged frames lead to."""
    walk = Walk()
    for what, *how in happenings:
        if what != "fail":
            walk.happen(what, *how)
    served = walk.served
    served.step()
    pending = served.core.pending
    _, waiting = served.core.roll_back()
    assert served.core.pending == 0
    assert (not waiting) or pending
    acknowledged = Served(served.journal, number=1, shards=2, limits=served.core.limits)
    for offset, found in served.journal.read(1, 0):
        if offset >= served.writer.reader.position:
            break
        acknowledged.shard._apply(acknowledged.writer.read(offset, found))
    assert everything(served.core.state) == everything(acknowledged.core.state)


@settings(max_examples=60, deadline=None)
@given(st.lists(HAPPENINGS, max_size=40))
def test_no_frame_is_larger_than_it_may_be_and_none_has_too_many_entries(happenings: list[tuple[Any, ...]]) -> None:
    walk = Walk()
    for what, *how in happenings:
        walk.happen(what, *how)
    walk.served.settle()
    assert all(len(frame.entries) <= 5 for frame in walk.served.frames())


def test_frames_are_cut_at_their_number_of_commands_and_no_earlier() -> None:
    served = Served().serve()
    for n in range(450):
        served.submit(f"a:{n % 7}", Deposit(amount=1))
    served.settle()
    assert [len(frame.entries) for frame in served.frames()] == [200, 200, 50]


@pytest.mark.parametrize("as_records", [False, True])
def test_frames_are_cut_by_bytes_and_never_exceed_frame_bytes_max(as_records: bool) -> None:
    """Rule A1: the size is checked before produce: envelope, names of inputs and all."""
    source = HandInput("feeder:" + "n" * 200 + ":1")
    limits = {"frame_bytes_max": 30_000, "command_bytes_max": 5_000}
    served = Served(limits=limits, inputs=[source]).serve()
    for size in [4_000, 4_700, 10, 4_500, 4_700, 4_700, 300, 4_700, 4_700] * 10:
        note = Note(text="x" * size, times=3 if size > 4_000 else 1)
        if as_records:
            source.put(value("a:1", note))
        else:
            served.submit("a:1", note)
    served.settle()
    sizes = [len(found) for _, found in served.valid()]
    assert max(sizes) <= 30_000
    assert len(sizes) < 90
    assert len(served.entries()) == 90
    assert all(type(entry).__name__ == "Accepted" for entry in served.entries())


def test_two_entries_as_large_as_may_be_share_a_frame_that_is_not_too_large() -> None:
    limits = {"frame_bytes_max": 30_000, "command_bytes_max": 5_000}

    def is_taken(size: int) -> bool:
        served = Served(limits=limits).serve()
        served.send("a:1", Note(text="x" * (size // 8), times=8), actor="x" * (size % 8))
        return served.version("a:1") == 8

    largest = bisect_left(range(20_000), True, key=lambda size: not is_taken(size)) - 1
    served = Served(limits=limits).serve()
    for stream, size in (("a:1", largest - 3), ("a:2", largest)):  # the first leaves the frame just not half full
        served.submit(stream, Note(text="x" * (size // 8), times=8), actor="x" * (size % 8))
    served.settle()
    ((_, frame),) = served.valid()
    assert len(frame) in range(28_900, 30_001)


# -- what stops a replay -----------------------------------------------------------------------------------------------
def written_by(served: Served, body: bytes) -> Served:
    """The log with one more valid frame of this body, by a writer whose code was another."""
    reader = Reader(JOURNAL, 0, 1)
    for offset, found in served.journal.read(0, 0):
        reader.pass_over(offset, found)
    served.journal.write(0, frame_value(reader.frame_prefix, reader.seq + 1, reader.head, body))
    return served.restarted()


def entry_of(served: Served, **fields: Any) -> bytes:
    """The last frame's body with its first entry changed."""
    frame = copy.copy(served.frames()[-1])
    entry = msgspec.structs.replace(frame.entries[0], **fields)
    return msgspec.json.encode(msgspec.structs.replace(frame, entries=[entry]))


def test_an_evolve_that_raises_on_replay_stops_the_shard_and_names_the_event() -> None:
    """Rule: code and journal no longer agree."""
    served = Served().serve()
    served.send("a:1", Note(text="fine"))
    served.send("a:1", Note(text="now refused"))
    offset = served.valid()[-1][0]
    Faulty.evolve_raises = "now refused"
    with pytest.raises(
        ReplayFailed, match=rf"shard 0, offset {offset}: account/a:1 version 2 .* ArithmeticError"
    ) as found:
        served.restarted().settle()
    assert (found.value.shard, found.value.offset, found.value.stream) == (0, offset, "account/a:1")


def test_an_evolve_that_returns_nothing_on_replay_stops_the_shard() -> None:
    served = Served().serve()
    served.send("a:1", Note(text="x"))
    Faulty.evolve_returns_nothing = True
    with pytest.raises(ReplayFailed, match="returned NoneType"):
        served.restarted().settle()


@pytest.mark.parametrize(("version", "why"), [(3, "stands at version 1"), (1, "this event is number 1")])
def test_an_event_that_is_not_the_next_of_its_stream_stops_the_shard(version: int, why: str) -> None:
    served = Served().serve()
    served.send("a:1", Deposit(amount=1))
    event = msgspec.structs.replace(served.entries()[0].events[0], version=version)
    with pytest.raises(ReplayFailed, match=why):
        written_by(served, entry_of(served, events=[event])).settle()


UNKNOWN_BODIES = {
    "an event of a class that the code lacks": {"type": "account/vanished/1"},
    "an event of a newer schema": {"type": "account/deposited/2"},
    "an event whose data lacks a field": {"data": msgspec.Raw(b"{}")},
}


@pytest.mark.parametrize("case", UNKNOWN_BODIES)
def test_a_valid_frame_with_events_that_the_code_does_not_know_stops_the_shard(case: str) -> None:
    """Rule R4: stop, never skip."""
    served = Served().serve()
    served.send("a:1", Deposit(amount=1))
    event = msgspec.structs.replace(served.entries()[0].events[0], **({"version": 2} | UNKNOWN_BODIES[case]))
    stopped = written_by(served, entry_of(served, events=[event]))
    said = r"shard 0, offset 2: \w+/a:1 version 2 is a .*, (for which .* no class|which does not decode as)"
    with pytest.raises(UnknownFormat, match=said):
        stopped.settle()


@pytest.mark.parametrize(
    "body", [b"[]", b"[1,{}]", b'[1,{},["entry"]]', b'[1,{},[["z",1]]]', b'[1,{},[["x","\xff",1,"",""]]]']
)
def test_a_valid_frame_whose_body_does_not_decode_stops_the_shard(body: bytes) -> None:
    served = Served().serve()
    with pytest.raises(UnknownFormat):
        written_by(served, body).settle()


def test_a_record_of_a_newer_format_stops_the_shard_and_nothing_behind_it_is_read() -> None:
    served = Served().serve()
    served.send("a:1", Deposit(amount=1))
    served.journal.write(0, b'["shardlog",2,"frame",{}]')
    again = served.restarted()
    with pytest.raises(UnknownFormat, match="format 2"):
        again.settle()
    assert served.journal.offsets(0)[1] == 3  # no claim was appended behind it


def test_a_history_that_was_altered_stops_the_shard() -> None:
    """Rule R6: epoch, nonce and seq are the next ones and prev alone is not head."""
    served = Served().serve()
    reader = Reader(JOURNAL, 0, 1)
    for offset, found in served.journal.read(0, 0):
        reader.pass_over(offset, found)
    served.journal.write(0, frame_value(reader.frame_prefix, 1, head0(JOURNAL, 0, 1).hex(), b"[1,{},[]]"))
    with pytest.raises(Diverged, match="shard 0, offset 1"):
        served.restarted().settle()


def test_records_that_do_not_count_are_passed_over_by_a_replay() -> None:
    """Rule R3: foreign bytes, another journal's records, claims of a wrong epoch have no effect but to be passed."""
    served = Served().serve()
    served.send("a:1", Deposit(amount=1))
    body = encode_claim(ClaimBody("x", "", 0, TIME, ""))
    other = "11111111-1111-4111-8111-111111111111"
    for junk in (
        b"hello",
        b"",
        b'["shardlog",1,"note"]',
        claim_value(other, 0, 1, 2, "0" * 32, body),
        claim_value(JOURNAL, 0, 1, 9, "0" * 32, body),
        claim_value(JOURNAL, 0, 2, 2, "0" * 32, body),
        served.valid()[0][1],
    ):
        served.journal.write(0, junk)
    again = served.restarted().serve()
    assert everything(again.core.state) == everything(served.core.state)
    again.send("a:1", Deposit(amount=2), command_id="another")
    assert again.restarted().serve().state("a:1").balance == 3


def test_a_shard_whose_clock_is_behind_the_newest_frame_does_not_serve_and_does_not_claim() -> None:
    """Rule D4: by more than clock_ahead_max_ms; and the owner that serves well is not deposed by it."""
    served = Served().serve()
    served.send("a:1", Deposit(amount=1))
    behind = served.restarted()
    behind.world.clock.us = TIME - 10 * SECOND - 1
    with pytest.raises(ClockBehind, match="clock_ahead_max_ms"):
        behind.settle()
    assert isinstance(served.send("a:1", Deposit(amount=1)).token, str)
    assert served.state("a:1").balance == 2
    at_the_edge = served.restarted()
    at_the_edge.world.clock.us = TIME - 10 * SECOND
    at_the_edge.serve()


def test_a_frame_that_lands_between_replay_and_claim_can_still_put_the_clock_behind() -> None:
    """Rule D4 holds at the claim, not at the end that was known before it."""
    served = Served().serve()
    behind = served.restarted()
    behind.world.clock.us = TIME - 60 * SECOND
    behind.core.limits = served.core.limits
    old = Served(served.journal, world=behind.world)
    old.step()  # replayed an empty log, its claim is on its way
    served.submit("a:1", Deposit(amount=1))
    served.step()
    claim, frame = served.journal.in_flight()
    served.journal.deliver(frame)
    served.journal.deliver(claim)
    with pytest.raises(ClockBehind):
        old.step(2)
    assert old.shard.mode is not Mode.SERVING


def test_a_payload_with_an_origin_is_kept_as_it_was_sent() -> None:
    refused = record("a:1", Withdraw(amount=5), origin=origin((1, 1, 0), None), command_id="c")
    source = HandInput("kafka:t:1")
    source.put(msgspec.json.encode(refused))
    served = Served(inputs=[source]).serve()
    assert bytes(served.entries()[0].payload) == bytes(refused.payload)

"""What a relay makes of frames: sends as their targets take them, in order, and forwards of an input's own bytes."""

from __future__ import annotations

import msgspec
import pytest

from shardlog import Position
from shardlog.errors import InputChanged, UnknownFormat
from shardlog.executor.requests import decode_record
from shardlog.ids import uuid8
from shardlog.journal.envelope import frame_value
from shardlog.journal.reader import Reader
from shardlog.journal.records import Forwarded, Origin, Unreadable
from shardlog.journal.sends import send_command_id
from shardlog.relay.core import Forward, forwarded_record
from tests.unit.executor.ledger import Deposit
from tests.unit.executor.served import HandInput, value
from tests.unit.relay.sent import JOURNAL, TOPIC, Sent, accepted, at_of, ats, came, rejected, send


def test_a_send_is_carried_as_a_command_of_the_process_that_it_belongs_to() -> None:
    sent = Sent()
    sent.frame(0, accepted(), accepted(send(2), send(1, payload=b'{"amount":5}'), correlation="process-7"))
    sent.run()
    (record,) = sent.waiting(1)
    assert (record.category, record.id, record.command, bytes(record.payload)) == (
        "account",
        "b:1",
        "receive",
        b'{"amount":5}',
    )
    assert record.origin == Origin("payments", 0, 1, 1, 1, None)
    assert record.command_id == send_command_id(JOURNAL, 0, 1, 1, 1)
    assert (record.correlation, record.causation) == ("process-7", "c-1")
    assert (record.tenant, record.actor, record.traceparent) == ("acme", "ann", "00-trace")
    assert (record.reply_to, record.expected_version, record.occurred_at) == ("", None, None)


def test_a_process_that_has_no_name_yet_is_named_by_the_command_that_began_it() -> None:
    sent = Sent()
    sent.frame(0, accepted(send(1)))
    sent.run()
    assert sent.waiting(1)[0].correlation == "c-1"


def test_sends_are_numbered_over_the_whole_frame_with_forwards_among_them() -> None:
    topic = HandInput(TOPIC)
    topic.put(value("x:1", Deposit(amount=1)))
    sent = Sent(inputs=[topic])
    sent.frame(
        0,
        accepted(send(1)),
        Unreadable(TOPIC, 0, "undecodable", "?"),
        rejected("closed_book", send(2), origin=came()),
        Forwarded(TOPIC, 0, 1, (1, 1, 0)),
        accepted(send(1, (1, 1, 2))),
    )
    sent.run()
    assert ats(sent.waiting(1)) == [(1, 1, 0), (1, 1, 2), (1, 1, 3)]
    assert [record.origin and record.origin.previous for record in sent.waiting(1)] == [None, (1, 1, 0), (1, 1, 2)]
    assert ats(sent.waiting(2)) == [(1, 1, 1)]


def test_what_is_carried_is_taken_from_valid_frames_alone() -> None:
    sent = Sent()
    reader = Reader(JOURNAL, 0, 3)
    sent.frame(0, accepted(send(1)))
    for _, stored in sent.journal.read(0, 0):
        reader.pass_over(reader.position, stored)
    body = msgspec.json.encode((1, {}, [accepted(send(1, (1, 1, 0)), send(1, (1, 2, 0)))]))
    another_writer = reader.frame_prefix.replace(b"0123", b"3210")
    sent.log.append(0, frame_value(another_writer, 2, reader.head, body))
    sent.log.append(0, b"no record at all")
    sent.frame(0, accepted(send(1, (1, 1, 0))))
    sent.run()
    assert ats(sent.waiting(1)) == [(1, 1, 0), (1, 2, 0)]


def test_sends_of_each_source_come_in_the_order_of_decision_and_sources_take_turns() -> None:
    sent = Sent()
    for seq in range(1, 4):
        for source in (0, 1):
            sent.frame(source, accepted(send(2, (1, seq - 1, 0) if seq > 1 else None)))
    sent.run()
    firsts = set()
    for _ in range(2):
        found = [(record.origin.shard, at_of(record)) for record in sent.waiting(2, limit=4) if record.origin]
        assert len(found) == 4
        for source in (0, 1):
            of_source = [at for shard, at in found if shard == source]
            assert of_source == [(1, seq, 0) for seq in range(1, len(of_source) + 1)]
        firsts.add(found[0][0])
    assert firsts == {0, 1}


def test_only_what_comes_behind_the_newest_frame_of_the_target_is_offered_and_offered_again_after_it_fell_back() -> (
    None
):
    sent = Sent()
    sent.frame(0, accepted(send(1), send(1, (1, 1, 0)), send(1, (1, 1, 1))))
    sent.run()
    assert ats(sent.waiting(1, received={0: (1, 1, 1)})) == [(1, 1, 2)]
    sent.run()
    assert ats(sent.waiting(1, received={})) == [(1, 1, 0), (1, 1, 1), (1, 1, 2)]


def test_a_valid_frame_that_does_not_decode_stops_its_shard_and_no_other() -> None:
    sent = Sent()
    sent.frame(0, accepted(send(2)))
    reader = sent.log._readers[0]
    sent.log.append(0, frame_value(reader.frame_prefix, reader.seq + 1, reader.head, b'[1,{},[["r","q"]]]'))
    sent.frame(0, accepted(send(2, (1, 1, 0))))
    sent.frame(1, accepted(send(2)))
    sent.run()
    found = {(record.origin.shard, at_of(record)) for record in sent.waiting(2) if record.origin}
    assert found == {(0, (1, 1, 0)), (1, (1, 1, 0))}
    assert isinstance(sent.relay.errors["shard 0"], UnknownFormat)
    assert sent.relay.errors["shard 0"].offset == 2


# -- forwards ----------------------------------------------------------------------------------------------------------
def test_a_misrouted_record_goes_on_with_its_own_bytes_and_a_place_of_its_own() -> None:
    topic = HandInput(TOPIC)
    original = value("x:1", Deposit(amount=5), command_id="k-1", reply_to="there", expected_version=3, correlation="p")
    topic.put(b"[]", original)
    sent = Sent(inputs=[topic])
    sent.frame(0, Forwarded(TOPIC, 1, 2, None))
    sent.run()
    (record,) = sent.waiting(2)
    assert record.origin == Origin("", 0, 1, 1, 0, None)
    assert msgspec.structs.replace(record, origin=None) == decode_record(original)


def test_a_forwarded_record_without_an_id_gets_the_one_of_the_place_where_it_was_read() -> None:
    elements = msgspec.json.decode(value("x:1", Deposit(amount=5)))
    forward = Forward(TOPIC, 7, Origin("", 2, 1, 4, 0, None))
    for original in (elements[:14], [*elements[:14], None]):
        record = decode_record(forwarded_record(msgspec.json.encode(original), forward))
        assert record.command_id == uuid8(TOPIC, 2, 7)


def test_a_forward_whose_input_is_not_there_holds_back_its_target_alone_until_the_input_is() -> None:
    topic = HandInput(TOPIC)
    sent = Sent(inputs=[topic])
    sent.frame(0, accepted(send(1)), Forwarded(TOPIC, 0, 1, (1, 1, 0)), accepted(send(1, (1, 1, 1)), send(2)))
    sent.run()
    assert ats(sent.waiting(1)) == [(1, 1, 0)]
    assert ats(sent.waiting(2)) == [(1, 1, 3)]
    (error,) = sent.relay.errors.values()
    assert isinstance(error, InputChanged)
    assert TOPIC in str(error)
    topic.put(value("x:1", Deposit(amount=5)))
    sent.run()
    assert ats(sent.waiting(1)) == [(1, 1, 0), (1, 1, 1), (1, 1, 2)]
    assert sent.relay.errors == {}


GOOD = [1, "account", "x:1", "deposit", "k-1", "", "", "", "", "", "", None, None, {"amount": 5}]
"""The elements of a command's record that a shard may forward."""


def without(place: int, element: object) -> bytes:
    """The good record with another element at this place."""
    return msgspec.json.encode([*GOOD[:place], element, *GOOD[place + 1 :]])


@pytest.mark.parametrize(
    "bytes_there",
    [
        b"no JSON",
        b"[1,2]",
        b"{}",
        b"\xff",
        *(without(place, [None]) for place in range(13)),
        without(0, 2),
        without(11, -1),
        without(12, "no time"),
        without(12, 1 << 60),
        msgspec.json.encode([*GOOD, ["", 0, 1, 1, 0, None]]),
        msgspec.json.encode([*GOOD, None, 1]),
    ],
)
def test_a_forward_whose_bytes_are_no_command_any_more_is_an_error_and_not_carried(bytes_there: bytes) -> None:
    topic = HandInput(TOPIC)
    topic.put(bytes_there)
    sent = Sent(inputs=[topic])
    sent.frame(0, Forwarded(TOPIC, 0, 1, None))
    sent.run()
    assert sent.waiting(1) == []
    assert [type(error) for error in sent.relay.errors.values()] == [InputChanged]


# -- dead letters ------------------------------------------------------------------------------------------------------
def test_a_refusal_by_the_engine_is_a_dead_letter_with_the_command_and_where_it_came_from() -> None:
    sent = Sent()
    offset = sent.frame(
        1,
        accepted(),
        rejected("unknown_command", command="fly", origin=came(), payload=b'{"high":true}'),
    )
    sent.run()
    (letter,) = sent.letters()
    assert letter.position == Position(JOURNAL, 1, offset, 1)
    assert (letter.category, letter.id, letter.command, letter.command_id) == ("account", "a:1", "fly", "c-1")
    assert (letter.code, letter.message, letter.manager) == ("unknown_command", "because", "payments")
    assert (letter.tenant, letter.actor, letter.correlation, letter.causation) == ("acme", "ann", "c-1", "c-0")
    assert (letter.payload, letter.original, letter.state) == ('{"high":true}', None, "open")
    assert letter.time == sent.log.time


def test_a_record_that_an_input_gave_and_the_engine_refused_is_a_dead_letter_with_its_bytes() -> None:
    topic = HandInput(TOPIC)
    topic.put(b"what is this", value("a:1", Deposit(amount=5)), b"x" * 100_000)
    sent = Sent(inputs=[topic])
    sent.frame(
        1,
        Unreadable(TOPIC, 0, "undecodable", "no JSON"),
        rejected("unknown_command", source=(TOPIC, 1)),
        Unreadable(TOPIC, 2, "too_large", "100,000 bytes"),
        Unreadable("kafka:other:1", 9, "undecodable", "gone"),
    )
    sent.run()
    first, second, third, gone = sent.letters()
    assert (first.code, first.message, first.input, first.input_offset) == ("undecodable", "no JSON", TOPIC, 0)
    assert first.original == b"what is this"
    assert (second.command, second.input_offset, second.original) == ("receive", 1, topic.values[1])
    assert third.original == b"x" * sent.limits.original_bytes_max
    assert (gone.input, gone.input_offset, gone.original) == ("kafka:other:1", 9, None)


def test_a_business_rejection_that_its_manager_does_not_hear_is_a_dead_letter() -> None:
    sent = Sent()
    heard = rejected("closed_book", command="receive", origin=came(), payload=b"{}")
    unheard = rejected("unknown_payment", command="settle", origin=came(), payload=b"{}")
    removed = rejected("closed_book", command="receive", origin=came(manager="gone"), payload=b"{}")
    unknown = rejected("closed_book", command="fly", origin=came(), payload=b"{}")
    sent.frame(0, heard, unheard, removed, unknown)
    sent.run()
    assert [letter.position.index for letter in sent.letters()] == [1, 2, 3]


def test_what_somebody_hears_or_waits_for_is_no_dead_letter() -> None:
    sent = Sent()
    once_heard = rejected("closed_book", send(1), command="settle", origin=came(), payload=b"{}")
    of_a_caller = rejected("closed_book")
    engine_to_a_caller = rejected("wrong_version")
    forwarded = rejected("closed_book", command="settle", origin=came(manager=""), payload=b"{}")
    sent.frame(0, once_heard, of_a_caller, engine_to_a_caller, forwarded)
    sent.run()
    assert sent.letters() == []

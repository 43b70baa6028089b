"""What comes of a record of an input: whatever it holds, it is settled, and nothing sticks the shard."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from shardlog.errors import ConfigurationError, InputChanged
from shardlog.executor.mode import Mode
from shardlog.ids import uuid7
from shardlog.ports.inputs import UnreadableRecord
from shardlog.sharding import shard_of
from tests.unit.executor.ledger import Crash, Deposit, Faulty, Look, Note, Withdraw
from tests.unit.executor.served import SECOND, TIME, HandInput, Served, everything, origin, record, replayed, value

FEEDER = "feeder:hand:1"
TOPIC = "kafka:commands:9f"
SMALL = {"frame_bytes_max": 30_000, "command_bytes_max": 4_000}


def fed(*values: bytes, name: str = FEEDER, **options: Any) -> Served:
    """A shard that has taken these records."""
    source = HandInput(name)
    source.put(*values)
    return Served(inputs=[source], **options).serve()


def raw(**fields: Any) -> bytes:
    """A good record with some fields of other kinds."""
    plain = msgspec.json.decode(value("a:1", Deposit(amount=1), command_id="c"))
    names = list(record("a:1", Look()).__struct_fields__)
    for name, content in fields.items():
        plain[names.index(name)] = content
    return msgspec.json.encode(plain)


GOOD = value("a:1", Deposit(amount=1), command_id="c")
UNDECODABLE = {
    "nothing": b"",
    "no JSON": b"deposit 5 into a:1",
    "a JSON object": b'{"category":"account"}',
    "half a record": GOOD[:-5],
    "two records in one": GOOD + b"\n" + GOOD,
    "too few fields": msgspec.json.encode(msgspec.json.decode(GOOD)[:-3]),
    "too many fields": msgspec.json.encode([*msgspec.json.decode(GOOD), 1]),
    "another format": raw(format=2),
    "a number for a text": raw(id=5),
    "a negative version": raw(expected_version=-1),
    "a version above 2^53-1": raw(expected_version=2**53),
    "a version with a fraction": raw(expected_version=1.5),
    "a time as text": raw(occurred_at="2026-01-01"),
    "an origin that is none": raw(origin=["payments", 1]),
    "bytes that are no UTF-8": GOOD.replace(b'"c"', b'"\xff\xfe"'),
    "an encoded half of a character": GOOD.replace(b'"c"', b'"\xed\xa0\x80"'),
    "an escaped half of a character": GOOD.replace(b'"c"', b'"\\ud800"'),
    "a payload a hundred thousand deep": GOOD.replace(b'{"amount":1}', b"[" * 100_000 + b"]" * 100_000),
    "a zero byte": b"\0" * 100,
}


@pytest.mark.parametrize("kind", UNDECODABLE)
@pytest.mark.parametrize("name", [FEEDER, TOPIC])
def test_a_record_that_cannot_be_read_is_recorded_as_unreadable_and_the_next_is_taken(kind: str, name: str) -> None:
    served = fed(UNDECODABLE[kind], value("a:1", Deposit(amount=7)), name=name)
    assert served.shard.mode is Mode.SERVING
    unreadable, accepted = served.entries()
    assert type(unreadable).__name__ == "Unreadable"
    assert (unreadable.input, unreadable.offset, unreadable.code) == (name, 0, "undecodable")
    assert len(unreadable.message) <= 1_000
    assert accepted.command == "deposit"
    assert served.state("a:1").balance == 7
    assert served.shard.settled(name) == 2
    assert replayed(served) == everything(served.core.state)


def test_a_record_that_its_input_could_not_turn_is_recorded_with_the_inputs_reason() -> None:
    served = fed(
        UnreadableRecord("header 'shardlog-command' is not there"), value("a:1", Deposit(amount=7)), name=TOPIC
    )
    unreadable, accepted = served.entries()
    assert (unreadable.code, unreadable.offset) == ("undecodable", 0)
    assert unreadable.message == "header 'shardlog-command' is not there"
    assert accepted.command == "deposit"
    assert replayed(served) == everything(served.core.state)


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (raw(id=5), "no command record: Expected `str`, got `int` - at `$[2]` (id)"),
        (raw(expected_version=-1), "no command record: Expected `int` >= 0 - at `$[11]` (expected_version)"),
        (raw(format=2), "no command record: Invalid enum value 2 - at `$[0]` (format)"),
        (
            raw(origin=["payments", 1]),
            "no command record: Expected `array` of at least length 6, got 2 - at `$[14]` (origin)",
        ),
    ],
)
def test_an_unreadable_records_reason_names_the_element(record: bytes, said: str) -> None:
    (unreadable,) = fed(record, name=TOPIC).entries()
    assert unreadable.message == said


def test_an_input_gives_a_single_record_again_and_none_for_what_is_not_there() -> None:
    source = HandInput(TOPIC, first=3)
    source.put(GOOD)
    assert source.read_again(0, 3) == source.original(0, 3) == GOOD
    assert source.read_again(0, 2) is None
    assert source.original(0, 4) is None


@pytest.mark.parametrize("size", [262_145, 10_000_000])
def test_a_record_above_command_bytes_max_is_recorded_as_too_large_without_its_bytes(size: int) -> None:
    served = fed(b"x" * size, value("a:1", Deposit(amount=7)))
    too_large, _ = served.entries()
    assert (too_large.code, too_large.offset) == ("too_large", 0)
    assert str(size) in too_large.message
    assert "command_bytes_max" in too_large.message
    assert served.state("a:1").balance == 7


def test_a_record_of_exactly_command_bytes_max_is_taken() -> None:
    lacks = 4_000 - len(value("a:1", Note(text="")))
    served = fed(value("a:1", Note(text="x" * lacks)), value("a:1", Note(text="x" * (lacks + 1))), limits=SMALL)
    assert [type(entry).__name__ for entry in served.entries()] == ["Accepted", "Unreadable"]


REFUSED = {
    "unknown_command": raw(command="fly"),
    "unknown_command of a category": raw(category="ghost"),
    "invalid_command of a missing field": raw(payload={}),
    "invalid_command of an extra field": raw(payload={"amount": 1, "colour": 2}),
    "invalid_command of a field out of range": raw(payload={"amount": 0}),
    "invalid_command of a number": raw(payload=5),
    "invalid_command of a long command id": raw(command_id="x" * 129),
    "invalid_command of a line break in a command id": raw(command_id="a\nb"),
    "invalid_id of nothing": raw(id=""),
    "invalid_id of a slash": raw(id="a/1"),
    "invalid_id of dots": raw(id="a:.."),
    "invalid_id of a line break": raw(id="a:1\n"),
    "invalid_id of 300 characters": raw(id="a:" + "x" * 298),
    "invalid_id of letters beyond ASCII": raw(id="ä:1"),
    "invalid_id of a zero byte": raw(id="a:\0"),
    "wrong_version": raw(expected_version=3),
    "internal_error": value("a:1", Crash(how="raises")),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_engine_refusal_of_a_record_is_recorded_and_notes_where_its_bytes_stand(case: str) -> None:
    served = fed(REFUSED[case], value("b:1", Deposit(amount=7)))
    refused, _ = served.entries()
    assert refused.code == case.partition(" ")[0]
    assert refused.source == (FEEDER, 0)
    assert bytes(refused.payload) == b"null"
    assert served.state("b:1").balance == 7
    assert replayed(served) == everything(served.core.state)


def test_a_business_rejection_of_a_record_is_recorded_without_a_source() -> None:
    served = fed(value("a:1", Withdraw(amount=1)))
    (refused,) = served.entries()
    assert (refused.code, refused.source) == ("insufficient_funds", None)


def test_a_refused_record_of_the_largest_size_fits_a_frame() -> None:
    """Rule A1: the size of a frame is bounded before it is appended."""
    lacks = 4_000 - len(value("a:1", Withdraw(amount=1)))
    served = fed(*[value("a:1", Withdraw(amount=1), actor="x" * lacks)] * 30, limits=SMALL)
    assert [entry.code for entry in served.entries()] == ["insufficient_funds"] * 30
    assert max(len(found) for _, found in served.valid()) <= 30_000


def test_limits_under_which_a_refusal_might_not_fit_a_frame_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="command_bytes_max"):
        Served(limits={"command_bytes_max": 262_144, "frame_bytes_max": 400_000})


def test_a_record_for_another_shard_is_forwarded_as_a_send_and_the_next_knows_the_one_before() -> None:
    """Rule D3: a forward takes a number like any send, and `previous` names the one before it to the same shard."""
    source = HandInput(TOPIC)
    others = [f"k{n}:1" for n in range(40) if shard_of(f"k{n}", 4) != 0]
    source.put(*(value(id, Deposit(amount=1)) for id in others))
    served = Served(inputs=[source], shards=4).serve()
    entries = served.entries()
    assert {type(entry).__name__ for entry in entries} == {"Forwarded"}
    last: dict[int, list[int]] = {}
    for number, entry in enumerate(entries):
        assert (entry.input, entry.offset) == (TOPIC, number)
        assert entry.shard == shard_of(others[number].partition(":")[0], 4)
        assert entry.previous == (tuple(last[entry.shard]) if entry.shard in last else None)
        last[entry.shard] = [1, 1, number]
    assert served.core.state.sent == {shard: tuple(at) for shard, at in last.items()}
    assert replayed(served) == everything(served.core.state)


def test_a_misrouted_record_that_has_an_origin_is_rejected_not_forwarded_again() -> None:
    lost = next(f"k{n}:1" for n in range(40) if shard_of(f"k{n}", 4) != 0)
    served = fed(value(lost, Deposit(amount=1), origin=origin((1, 1, 0), None)), name=TOPIC, shards=4)
    (entry,) = served.entries()
    assert (entry.code, entry.source) == ("misrouted", (TOPIC, 0))
    assert served.core.state.received == {1: (1, 1, 0)}


def test_a_record_without_a_command_id_gets_one_from_where_it_stands() -> None:
    served = fed(value("a:1", Deposit(amount=1)), value("a:1", Deposit(amount=1)), name=TOPIC)
    ids = [entry.command_id for entry in served.entries()]
    assert len(set(ids)) == 2
    assert ids == [entry.command_id for entry in fed(*[value("a:1", Deposit(amount=1))] * 2, name=TOPIC).entries()]


def test_records_of_a_feeder_enter_no_window_and_have_no_age() -> None:
    old = uuid7(TIME - 10_000 * SECOND, bytes(10))
    served = fed(*[value("a:1", Deposit(amount=1), command_id=old)] * 3)
    assert served.state("a:1").balance == 3
    assert len(served.core.state.requests) == 0
    assert {entry.channel for entry in served.entries()} == {"feeder"}


def test_a_repeated_id_on_a_topic_leaves_no_entry_and_the_input_moves() -> None:
    """Rule: ids of Kafka commands enter a counted window; a repeat leaves no entry, only the input moves."""
    source = HandInput(TOPIC)
    served = Served(inputs=[source]).serve()
    source.put(GOOD, GOOD)
    served.settle()
    source.put(GOOD)
    served.settle()
    assert [len(frame.entries) for frame in served.frames()] == [1, 0]
    assert served.shard.settled(TOPIC) == 3
    assert served.state("a:1").balance == 1
    assert served.restarted().serve().state("a:1").balance == 1


def test_the_counted_window_forgets_the_oldest_by_number_not_by_time() -> None:
    ids = [f"c{n}" for n in range(30)]
    source = HandInput(TOPIC)
    served = Served(inputs=[source], limits={"dedupe_counted_ids_max": 10}).serve()
    for id in ids:
        source.put(value("a:1", Deposit(amount=1), command_id=id))
        served.settle()
    served.world.wait(10_000_000)
    source.put(
        value("a:1", Deposit(amount=100), command_id=ids[-1]), value("a:1", Deposit(amount=1000), command_id=ids[0])
    )
    served.settle()
    assert served.state("a:1").balance == 30 + 1000
    assert replayed(served) == everything(served.core.state)


def test_an_input_goes_on_after_a_restart_from_the_first_offset_not_settled() -> None:
    source = HandInput()
    source.put(*[value("a:1", Deposit(amount=1))] * 450)
    served = Served(inputs=[source]).serve()
    assert served.state("a:1").balance == 450
    assert [frame.inputs for frame in served.frames()] == [{FEEDER: 200}, {FEEDER: 400}, {FEEDER: 450}]
    source.put(value("a:1", Deposit(amount=1)))
    again = served.restarted().serve()
    assert again.state("a:1").balance == 451
    assert again.shard.settled(FEEDER) == 451


def test_records_on_their_way_when_an_append_fails_are_read_again_and_applied_once() -> None:
    """Rules F3 and T4: records of inputs are never kept over a failure; the replayed offset says where to go on."""
    source = HandInput()
    served = Served(inputs=[source]).serve()
    source.put(*[value("a:1", Deposit(amount=1))] * 500)
    served.step(3)
    landed, lost, held = served.journal.in_flight()
    served.journal.land(landed)
    served.journal.lose(lost)
    served.journal.lose(held)
    served.journal.fail(landed)
    served.settle()
    assert served.state("a:1").balance == 500
    assert sum(len(frame.entries) for frame in served.frames()) == 500
    assert served.shard.settled(FEEDER) == 500


def test_a_known_input_under_another_incarnation_is_refused_until_it_is_accepted_by_name() -> None:
    served = fed(value("a:1", Deposit(amount=1)))
    other = HandInput("feeder:hand:2")
    other.put(value("a:1", Deposit(amount=10)))
    refused = served.restarted(inputs=[other])
    with pytest.raises(InputChanged, match=r"'feeder:hand:2'.*'feeder:hand:1'"):
        refused.settle()
    accepting = served.restarted(inputs=[other], accepted_inputs=["feeder:hand:2"]).serve()
    assert accepting.state("a:1").balance == 11
    assert accepting.restarted(inputs=[other]).serve().state("a:1").balance == 11


@pytest.mark.parametrize("name", ["feeder:hands:1", "kafka:hand:1", "feeder:hand:more:1"])
def test_an_input_of_another_name_is_just_a_new_one(name: str) -> None:
    served = fed(value("a:1", Deposit(amount=1)), name="feeder:hand:1")
    other = HandInput(name)
    other.put(value("a:1", Deposit(amount=10)))
    assert served.restarted(inputs=[other]).serve().state("a:1").balance == 11


@pytest.mark.parametrize("name", ["http:x:1", "feeder:x", "feeder", "", "feeder::1", "feeder:x:"])
def test_an_input_whose_name_could_not_be_read_back_from_a_frame_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="KIND:NAME:INCARNATION"):
        Served(inputs=[HandInput(name)])


def test_a_record_whose_evolve_raises_is_recorded_as_internal_error_and_the_next_is_taken() -> None:
    Faulty.evolve_raises = "bad"
    served = fed(value("a:1", Note(text="bad")), value("a:1", Note(text="good")))
    assert [getattr(entry, "code", "accepted") for entry in served.entries()] == ["internal_error", "accepted"]


def test_two_inputs_and_requests_share_a_frame() -> None:
    one, two = HandInput("feeder:one:1"), HandInput("feeder:two:1")
    served = Served(inputs=[one, two]).serve()
    one.put(value("a:1", Deposit(amount=1)))
    two.put(value("a:1", Deposit(amount=10)))
    served.submit("a:1", Deposit(amount=100))
    served.settle()
    (frame,) = served.frames()
    assert frame.inputs == {"feeder:one:1": 1, "feeder:two:1": 1}
    assert served.state("a:1").balance == 111


def test_an_input_is_not_starved_by_requests() -> None:
    source = HandInput()
    served = Served(inputs=[source], limits={"frame_commands_max": 4}).serve()
    source.put(*[value("a:1", Deposit(amount=1000))] * 3)
    for _ in range(40):
        served.submit("a:1", Deposit(amount=1))
    served.settle()
    first_half = [entry.channel for frame in served.frames()[:6] for entry in frame.entries]
    assert "feeder" in first_half


def test_of_two_inputs_that_always_have_more_neither_is_starved() -> None:
    one, two = HandInput("feeder:one:1"), HandInput("feeder:two:1")
    served = Served(inputs=[one, two], limits={"frame_commands_max": 4}).serve()
    one.put(*[value("a:1", Deposit(amount=1))] * 100)
    two.put(*[value("a:1", Deposit(amount=1000))] * 3)
    served.settle()
    assert served.state("a:1").balance == 3_100
    assert any("feeder:two:1" in frame.inputs for frame in served.frames()[:6])

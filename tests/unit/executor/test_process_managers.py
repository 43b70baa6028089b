"""Process managers' commands: decided once, in the frame, and taken exactly once at their target (rule D3)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from shardlog import CommandAccepted, CommandRejected
from shardlog.journal.envelope import body_of, envelope_of
from shardlog.journal.records import decode_raw_frame
from shardlog.journal.sends import numbered_sends, send_command_id
from shardlog.sharding import shard_of
from tests.unit.executor.ledger import Deposit, Faulty, GiveBack, Look, Pay, Receive, Settle, Withdraw, Write
from tests.unit.executor.served import JOURNAL, HandInput, Served, everything, origin, replayed, value

TOPIC = "kafka:commands:9f"
SHARDS = 4
KEYS = [next(f"k{n}" for n in range(100) if shard_of(f"k{n}", SHARDS) == shard) for shard in range(SHARDS)]
At = tuple[int, int, int]


@pytest.fixture
def served() -> Served:
    served = Served(shards=SHARDS).serve()
    served.send(f"{KEYS[0]}:1", Deposit(amount=1_000))
    return served


def pay(served: Served, shard: int, amount: int = 1, payment: str = "p") -> int:
    return served.submit(f"{KEYS[0]}:1", Pay(to=f"{KEYS[shard]}:1", amount=amount, payment=payment))


def test_an_event_that_a_manager_hears_is_recorded_with_what_it_sends(served: Served) -> None:
    pay(served, 2, amount=7)
    served.settle()
    (send,) = served.entries()[-1].sends
    assert (send.manager, send.category, send.id, send.command) == ("payments", "account", f"{KEYS[2]}:1", "receive")
    assert msgspec.json.decode(send.payload) == {"source": f"{KEYS[0]}:1", "amount": 7, "payment": "p"}
    assert (send.shard, send.previous) == (2, None)


def test_each_send_knows_the_one_before_it_to_the_same_shard(served: Served) -> None:
    """Over entries of a frame, over frames, and over a takeover; each target shard has a sequence of its own."""
    for shard in (2, 3, 2):
        pay(served, shard)
    served.settle()
    pay(served, 2)
    served.settle()
    again = served.restarted().serve()
    pay(again, 2)
    pay(again, 3)
    again.settle()
    last: dict[int, Any] = {}
    for at, send in sends_of(again):
        assert send.previous == last.get(send.shard)
        last[send.shard] = at
    assert again.core.state.sent == last
    assert replayed(again) == everything(again.core.state)


def test_two_sends_of_one_handler_to_the_same_shard_follow_each_other() -> None:
    served = Served().serve()
    for n in range(2):
        served.send("a:1", Write(line=f"twice{n}:1"), category="book")
    places = [at for at, _ in sends_of(served)]
    assert places == [(1, 1, 0), (1, 1, 1), (1, 2, 0), (1, 2, 1)]
    assert [send.previous for _, send in sends_of(served)] == [None, *places[:-1]]


def sends_of(served: Served) -> list[tuple[At, Any]]:
    """Every send that stands in the log, with its place."""
    found: list[tuple[At, Any]] = []
    for _, stored in served.valid():
        envelope = envelope_of(stored)
        assert envelope is not None
        place = int(envelope.epoch), int(envelope.seq)
        found += [((*place, number), send) for number, send in numbered_sends(decode_raw_frame(body_of(stored)))]
    return found


def test_an_event_whose_manager_raises_is_not_recorded_and_the_command_is_refused(served: Served) -> None:
    """Rule: a command writes nothing until its decide, every evolve and every process manager have succeeded."""
    before = everything(served.core.state)
    Faulty.manager_raises = True
    ticket = pay(served, 2)
    served.settle()
    outcome = served.outcome(ticket)
    assert isinstance(outcome, CommandRejected)
    assert outcome.code == "internal_error"
    after = everything(served.core.state)
    assert (after["streams"], after["sent"]) == (before["streams"], before["sent"])
    Faulty.manager_raises = False
    ticket = pay(served, 2)
    served.settle()
    assert isinstance(served.outcome(ticket), CommandAccepted)
    assert replayed(served) == everything(served.core.state)


def test_replay_takes_sends_from_the_frame_and_runs_no_manager(served: Served) -> None:
    pay(served, 2)
    served.settle()
    Faulty.manager_raises = True
    assert replayed(served) == everything(served.core.state)


def test_going_back_over_a_frame_gives_its_numbers_free_again(served: Served) -> None:
    before = everything(served.core.state)
    pay(served, 2)
    served.step()
    pay(served, 2)
    served.step()
    assert served.core.state.sent == {2: (1, 3, 0)}
    served.core.roll_back()
    assert everything(served.core.state) == before


def test_a_send_that_its_target_would_refuse_for_its_size_is_refused_at_its_source() -> None:
    """Rule D3: what the target cannot take, with all that is behind it, must not become a send."""
    served = Served(limits={"frame_bytes_max": 30_000, "command_bytes_max": 4_000}).serve()
    served.send("a:1", Deposit(amount=10))
    outcome = served.send("a:1", Pay(to="b:1", amount=1, payment="x" * 3_500))
    assert isinstance(outcome, CommandRejected)
    assert outcome.code == "too_large"
    assert "payments" in outcome.message
    assert served.core.state.sent == {}
    assert isinstance(served.send("a:1", Pay(to="b:1", amount=1, payment="x" * 2_000)), CommandAccepted)


# -- at the target -----------------------------------------------------------------------------------------------------
def arrived(*values: bytes, **options: Any) -> Served:
    source = HandInput(TOPIC)
    source.put(*values)
    return Served(inputs=[source], **options).serve()


def send(at: At, previous: At | None, amount: int = 1, shard: int = 1, **more: Any) -> bytes:
    receive = Receive(source="b:1", amount=amount, payment="p")
    return value(
        "a:1", receive, origin=origin(at, previous, shard), command_id=send_command_id(JOURNAL, shard, *at), **more
    )


def test_a_command_with_an_origin_is_decided_and_recorded_with_it() -> None:
    served = arrived(send((1, 1, 0), None, amount=5))
    (entry,) = served.entries()
    assert entry.channel == "manager"
    assert entry.origin == origin((1, 1, 0), None)
    assert served.state("a:1").balance == 5
    assert served.core.state.received == {1: (1, 1, 0)}
    assert len(served.core.state.requests) == 0


REPEATS_AND_GAPS = {
    "the same again": (send((1, 1, 0), None),),
    "one before the last": (send((1, 0, 9), None),),
    "one of an epoch before": (send((0, 99, 99), None),),
    "one behind a gap": (send((1, 2, 0), (1, 1, 5)),),
    "the first of a source whose first is missing": (send((1, 2, 0), (1, 1, 0), shard=3),),
}


@pytest.mark.parametrize("kind", REPEATS_AND_GAPS)
def test_a_repeat_or_a_gap_is_not_applied_and_not_recorded_and_the_input_moves(kind: str) -> None:
    served = arrived(send((1, 1, 0), None), *REPEATS_AND_GAPS[kind], value("c:1", Look()))
    assert [entry.command for entry in served.entries()] == ["receive", "look"]
    assert served.state("a:1").balance == 1
    assert served.shard.settled(TOPIC) == 3
    assert served.core.state.received == {1: (1, 1, 0)}
    assert replayed(served) == everything(served.core.state)


def test_a_frame_is_written_where_only_repeats_were_settled_so_that_the_input_moves() -> None:
    served = arrived(send((1, 1, 0), None))
    served.shard._inputs.all[0].put(send((1, 1, 0), None))
    served.settle()
    assert [len(frame.entries) for frame in served.frames()] == [1, 0]
    assert served.frames()[1].inputs == {TOPIC: 2}


def test_a_gap_is_closed_by_sending_again_from_the_last_one_taken() -> None:
    in_order = [send((1, n, 0), (1, n - 1, 0) if n else None) for n in range(6)]
    served = arrived(*in_order[:2], *in_order[3:], *in_order[1:], *in_order)
    assert served.state("a:1").balance == 6
    assert served.core.state.received == {1: (1, 5, 0)}


def test_sequences_of_two_source_shards_do_not_touch() -> None:
    served = arrived(
        send((1, 1, 0), None, shard=1), send((1, 1, 0), None, shard=3), send((1, 1, 1), (1, 1, 0), shard=3)
    )
    assert served.state("a:1").balance == 3
    assert served.core.state.received == {1: (1, 1, 0), 3: (1, 1, 1)}


REFUSALS = {
    "wrong_version": {"expected_version": 7},
    "invalid_command": {"payload": msgspec.Raw(b'{"amount":"much"}')},
    "unknown_command": {"command": "fly"},
    "invalid_id": {"id": "a/1"},
    "internal_error": {"command": "crash", "payload": msgspec.Raw(b'{"how":"raises"}')},
}


@pytest.mark.parametrize("code", REFUSALS)
def test_an_engine_refusal_is_recorded_with_its_origin_and_the_manager_does_not_hear_of_it(code: str) -> None:
    """Rule D3: it moves the last send taken, is parked as a dead letter, and is not heard by on_rejected."""
    command = msgspec.json.decode(send((1, 1, 0), None))
    names = [
        "format",
        "category",
        "id",
        "command",
        "command_id",
        "tenant",
        "actor",
        "correlation",
        "causation",
        "traceparent",
        "reply_to",
    ]
    names += ["expected_version", "occurred_at", "payload", "origin"]
    for name, content in REFUSALS[code].items():
        command[names.index(name)] = content
    served = arrived(msgspec.json.encode(command), send((1, 1, 1), (1, 1, 0)))
    refused, taken = served.entries()
    assert (refused.code, refused.sends, refused.source) == (code, [], (TOPIC, 0))
    assert msgspec.json.decode(refused.payload) is not None
    assert taken.command == "receive"
    assert served.core.state.received == {1: (1, 1, 1)}
    assert replayed(served) == everything(served.core.state)


def test_a_business_rejection_is_told_to_the_manager_that_sent_the_command() -> None:
    served = arrived(send((1, 1, 0), None, amount=13))
    (entry,) = served.entries()
    assert entry.code == "closed_book"
    assert msgspec.json.decode(entry.payload)["amount"] == 13
    assert entry.source is None
    (answer,) = entry.sends
    assert (answer.command, answer.id) == ("give_back", "b:1")
    assert msgspec.json.decode(answer.payload) == {"payment": "p", "code": "closed_book"}
    assert served.core.state.sent == {0: (1, 1, 0)}
    assert replayed(served) == everything(served.core.state)


def test_a_business_rejection_of_a_command_without_an_origin_is_told_to_nobody() -> None:
    served = arrived(value("a:1", Receive(source="b:1", amount=13, payment="p")))
    assert served.entries()[0].sends == []
    assert served.core.state.sent == {}


def test_a_rejection_is_not_told_to_a_manager_without_a_handler_for_it_or_of_another_name() -> None:
    unheard = value("a:1", Settle(payment="none"), origin=origin((1, 1, 0), None), command_id="c")
    stranger = value(
        "a:1", Receive(source="b:1", amount=13, payment="p"), origin=origin((1, 1, 1), (1, 1, 0), manager="x")
    )
    forward = value(
        "a:1", Receive(source="b:1", amount=13, payment="p"), origin=origin((1, 1, 2), (1, 1, 1), manager="")
    )
    served = arrived(unheard, stranger, forward)
    assert [(entry.code, entry.sends) for entry in served.entries()] == [
        ("unknown_payment", []),
        ("closed_book", []),
        ("closed_book", []),
    ]


def test_a_manager_that_raises_on_a_rejection_is_recorded_without_sends_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    Faulty.rejection_handler_raises = True
    served = arrived(send((1, 1, 0), None, amount=13), send((1, 1, 1), (1, 1, 0)))
    assert [getattr(entry, "code", None) for entry in served.entries()] == ["closed_book", None]
    assert served.entries()[0].sends == []
    assert "payments" in caplog.text


def test_an_age_in_the_id_of_a_command_with_an_origin_is_not_looked_at() -> None:
    """Rule D2: expired is never sent to process managers."""
    served = arrived(
        value(
            "a:1",
            Deposit(amount=1),
            origin=origin((1, 1, 0), None),
            command_id="0" * 12 + "7" + "0" * 3 + "8" + "0" * 15,
        )
    )
    assert served.state("a:1").balance == 1


def test_sends_received_twice_over_failures_and_takeovers_are_applied_once() -> None:
    """The relay's promise is at least once, from its checkpoint, in order; the target's is once."""
    source = HandInput(TOPIC)
    served = Served(inputs=[source]).serve()
    in_order = [send((1, n, 0), (1, n - 1, 0) if n else None) for n in range(30)]
    for start in (0, 3, 7, 0, 12, 20, 15):
        source.put(*in_order[start : start + 11])
        served.step()
        if served.journal.in_flight() and start % 2:
            flight = served.journal.in_flight()[0]
            served.journal.land(flight)
            served.journal.fail(flight)
        served.settle()
        served = served.restarted().serve()
    assert served.state("a:1").balance == 30
    assert [entry.origin.seq for entry in served.entries()] == list(range(30))


def test_a_payment_goes_its_whole_way_between_two_shards() -> None:
    """Deliver, settle; and where the target refuses, give back. The sum never changes."""
    shards = [Served(shards=SHARDS, number=0), Served(shards=SHARDS, number=2)]
    topics = {0: HandInput(TOPIC), 2: HandInput(TOPIC)}
    shards = [Served(shards=SHARDS, number=n, inputs=[topics[n]]).serve() for n in topics]
    payer = shards[0]
    payer.send(f"{KEYS[0]}:1", Deposit(amount=100))
    for n, amount in enumerate((5, 13, 20)):
        assert isinstance(
            payer.send(f"{KEYS[0]}:1", Pay(to=f"{KEYS[2]}:1", amount=amount, payment=f"p{n}")), CommandAccepted
        )
    carried = {0: 0, 2: 0}
    for _ in range(6):
        for served in shards:
            found = sends_of(served)
            for at, sent in found[carried[served.number] :]:
                topics[sent.shard].put(carry(served.number, at, sent))
            carried[served.number] = len(found)
        for served in shards:
            served.settle()
    assert payer.state(f"{KEYS[0]}:1").balance == 75
    assert payer.state(f"{KEYS[0]}:1").reserved == {}
    assert shards[1].state(f"{KEYS[2]}:1").balance == 25
    for served in shards:
        assert replayed(served) == everything(served.core.state)


def carry(source: int, at: At, sent: Any) -> bytes:
    """What a relay puts on the topic of the target."""
    commands = {"receive": Receive, "settle": Settle, "give_back": GiveBack, "withdraw": Withdraw}
    command = msgspec.json.decode(sent.payload, type=commands[sent.command])
    came = origin(at, None if sent.previous is None else tuple(sent.previous), shard=source)
    return value(sent.id, command, origin=came, command_id=send_command_id(JOURNAL, source, *at))

"""Whatever a caller or the domain's code gives: what is recorded can be read back, and the shard lives on."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import msgspec
import pytest

from shardlog import (
    Aggregate,
    Application,
    Command,
    CommandAccepted,
    CommandRejected,
    Domain,
    Event,
    Outcome,
    ProcessManager,
    Recorded,
    Rejected,
    Send,
    Sends,
    State,
    Stream,
    Transaction,
    reject,
)
from shardlog.codec.json import encode
from shardlog.executor.requests import Request
from tests.unit.executor.ledger import Deposit, Withdraw
from tests.unit.executor.served import HandInput, Served, everything, origin, record, replayed, value

DEEP = 900


class Box(msgspec.Struct, frozen=True):
    inner: Box | None = None


class Shelf(State): ...


class ShelfCommand(Command): ...


class ShelfEvent(Event): ...


class Pack(ShelfCommand):
    """Packs boxes into one another. told: whether a process manager sends them on."""

    boxes: int
    told: bool = False


class Keep(ShelfCommand):
    box: Box


class Odd(ShelfCommand):
    how: str


class Move(ShelfCommand):
    to: str


class Packed(ShelfEvent):
    box: Box


class Told(ShelfEvent):
    boxes: int


class Addressed(ShelfEvent):
    to: str


shelf = Aggregate("shelf", initial=Shelf(), commands=ShelfCommand, events=ShelfEvent, routing_parts=1)


def nested(boxes: int) -> Box:
    box = Box()
    for _ in range(boxes - 1):
        box = Box(inner=box)
    return box


@shelf.decides
def pack(state: Shelf, command: Pack) -> Packed | Told:
    return Told(boxes=command.boxes) if command.told else Packed(box=nested(command.boxes))


@shelf.decides
def keep(state: Shelf, command: Keep) -> Packed:
    return Packed(box=command.box)


@shelf.decides
def odd(state: Shelf, command: Odd) -> Addressed:
    if command.how == "many sends":
        reject("not_wanted", "tell the sender")
    if command.how.startswith("code "):
        reject(command.how.removeprefix("code "), "a code of its own")
    if command.how.startswith("to "):
        return Addressed(to=command.how.removeprefix("to "))
    raise {"exit": SystemExit(3), "interrupt": KeyboardInterrupt(), "cancelled": asyncio.CancelledError()}[command.how]


@shelf.transaction
def move(tx: Transaction[Shelf, ShelfEvent], command: Move) -> None:
    tx.load(Stream(shelf, command.to)).append(Addressed(to=""))


shelf.ignores(Packed, Told, Addressed)

movers = ProcessManager("movers")


@movers.on
def tell(event: Told, recorded: Recorded) -> Sends:
    return shelf.send("a:2", Keep(box=nested(event.boxes)))


@movers.on
def address(event: Addressed, recorded: Recorded) -> Sends:
    return Send("shelf", event.to, Odd(how="exit")) if event.to else None


@movers.on_rejected
def much(rejected: Rejected[Odd]) -> Sends:
    return [shelf.send("a:2", Odd(how="x" * 200_000)) for _ in range(3)]


shelves = Application([Domain("shelves", aggregates=[shelf], process_managers=[movers])])


@pytest.fixture
def served() -> Served:
    return Served(application=shelves).serve()


def submit(served: Served, id: str, command: Command, **more: Any) -> int:
    return served.submit(id, command, category="shelf", **more)


def send(served: Served, id: str, command: Command, **more: Any) -> Outcome:
    return served.send(id, command, category="shelf", **more)


def lives_on(served: Served) -> None:
    """The shard serves, and a reader of the log alone comes to what it knows."""
    assert isinstance(send(served, "a:9", Pack(boxes=1)), CommandAccepted)
    assert replayed(served) == everything(served.core.state)
    again = served.restarted().serve()
    assert isinstance(send(again, "a:9", Pack(boxes=1)), CommandAccepted)


FIELDS = [
    *(
        (name, wrong)
        for name in ("tenant", "actor", "correlation", "causation", "traceparent", "command_id", "reply_to")
        for wrong in (None, 42, "half a character: \ud800", ["a"])
    ),
    *((name, wrong) for name in ("expected_version", "occurred_at") for wrong in (-1, 2**53, 2**70, "1", 1.5, b"1")),
    *(("id", wrong) for wrong in (None, 7)),
    *(("command_id", wrong) for wrong in ("", "x" * 129, "a\nb")),
    ("payload", "no bytes"),
    ("format", 2),
]


@pytest.mark.parametrize(("field", "wrong"), FIELDS)
def test_a_request_with_a_field_that_cannot_be_recorded_is_refused(served: Served, field: str, wrong: Any) -> None:
    asked = record("a:1", Pack(boxes=1), "shelf", command_id="c")
    asked = msgspec.structs.replace(asked, **{field: wrong})
    served.shard.submit(Request(asked, "local", served.sink, 0))
    served.settle()
    outcome = served.outcome(0)
    assert isinstance(outcome, CommandRejected)
    assert outcome.code == "invalid_command"
    assert outcome.token is None
    assert served.entries() == []
    lives_on(served)


def test_a_uuid_as_a_command_id_is_recorded_as_its_text(served: Served) -> None:
    assert isinstance(send(served, "a:1", Pack(boxes=1), command_id=uuid.UUID(int=7)), CommandAccepted)
    assert served.entries()[0].command_id == str(uuid.UUID(int=7))
    lives_on(served)


@pytest.mark.parametrize(("boxes", "is_taken"), [(63, True), (64, False), (DEEP, False)])
def test_an_event_nested_deeper_than_a_frame_could_be_read_is_refused(
    served: Served, boxes: int, is_taken: bool
) -> None:
    outcome = send(served, "a:1", Pack(boxes=boxes))
    if is_taken:
        assert isinstance(outcome, CommandAccepted)
    else:
        assert isinstance(outcome, CommandRejected)
        assert outcome.code == "internal_error"
        assert "nesting_max" in outcome.message
    lives_on(served)


def test_a_payload_nested_too_deep_is_refused_before_it_is_decided(served: Served) -> None:
    outcome = send(served, "a:1", Keep(box=nested(DEEP)))
    assert isinstance(outcome, CommandRejected)
    assert (outcome.code, outcome.token) == ("invalid_command", None)
    assert "nesting_max" in outcome.message
    lives_on(served)


def test_a_send_nested_too_deep_is_the_process_managers_fault(served: Served) -> None:
    outcome = send(served, "a:1", Pack(boxes=DEEP, told=True))
    assert isinstance(outcome, CommandRejected)
    assert outcome.code == "internal_error"
    assert "process manager 'movers'" in outcome.message
    lives_on(served)


@pytest.mark.parametrize("how", ["exit", "interrupt", "cancelled"])
def test_a_decision_that_wants_to_end_the_process_is_rejected(served: Served, how: str) -> None:
    outcome = send(served, "a:1", Odd(how=how))
    assert isinstance(outcome, CommandRejected)
    assert outcome.code == "internal_error"
    lives_on(served)


@pytest.mark.parametrize("code", ["too_large", "wrong_version", "Not Snake", "", "x" * 65, "ünïcode", "expired"])
def test_a_code_that_no_domain_may_use_is_an_internal_error_that_names_it(served: Served, code: str) -> None:
    outcome = send(served, "a:1", Odd(how=f"code {code}"), command_id="c")
    assert isinstance(outcome, CommandRejected)
    assert outcome.code == "internal_error"
    assert ascii(code) in outcome.message
    assert outcome.token is not None
    assert send(served, "a:1", Odd(how=f"code {code}"), command_id="c") == outcome
    lives_on(served)


@pytest.mark.parametrize("id", ["..", "", "a b", "x" * 300, "a:1\n"])
def test_a_transaction_may_load_only_what_can_be_a_stream(served: Served, id: str) -> None:
    outcome = send(served, "a:1", Move(to=id))
    assert isinstance(outcome, CommandRejected)
    assert outcome.code == "invalid_id"
    lives_on(served)


@pytest.mark.parametrize("id", ["..", "a b", "x" * 300])
def test_a_process_manager_may_send_only_to_what_can_be_a_stream(served: Served, id: str) -> None:
    outcome = send(served, "a:1", Odd(how=f"to {id}"))
    assert isinstance(outcome, CommandRejected)
    assert outcome.code == "internal_error"
    assert "movers" in outcome.message
    lives_on(served)


def test_a_refusal_whose_hearer_sends_more_than_a_frame_holds_is_recorded_without_the_sends() -> None:
    source = HandInput()
    served = Served(application=shelves, inputs=[source]).serve()
    source.put(value("a:1", Odd(how="many sends"), category="shelf", origin=origin((1, 1, 0), None, manager="movers")))
    served.settle()
    (entry,) = served.entries()
    assert (entry.code, entry.sends) == ("not_wanted", [])
    assert served.core.received == {1: (1, 1, 0)}
    assert len(served.valid()[-1][1]) <= served.core.limits.frame_bytes_max
    lives_on(served)


@pytest.mark.parametrize(
    ("payload", "kept"),
    [
        (b'{ "amount" : 5 }', b'{"amount":5}'),
        (b'{"amount":5,"x":"\xff"}', b"null"),
        (b'{"amount":5,"n":' + b"[" * 200 + b"]" * 200 + b"}", None),
    ],
)
def test_a_payload_with_an_origin_stands_in_the_frame_as_format_1_writes_json(payload: bytes, kept: bytes) -> None:
    source = HandInput()
    served = Served(inputs=[source]).serve()
    command = record("a:1", Withdraw(amount=5), origin=origin((1, 1, 0), None), command_id="c")
    source.put(msgspec.json.encode(command).replace(encode(Withdraw(amount=5)), payload))
    served.settle()
    (entry,) = served.entries()
    if kept is not None:
        assert bytes(entry.payload) == kept
    assert replayed(served) == everything(served.core.state)


def test_an_origin_is_taken_from_no_input_but_a_relays() -> None:
    source = HandInput(carries_sends=False)
    served = Served(inputs=[source]).serve()
    source.put(value("a:1", Deposit(amount=5), origin=origin((1, 1, 0), None)))
    source.put(value("a:1", Deposit(amount=3)))
    served.settle()
    forged, taken = served.entries()
    assert (forged.code, forged.offset) == ("undecodable", 0)
    assert len(taken.events) == 1
    assert served.core.received == {}
    assert served.state("a:1").balance == 3


def test_a_request_that_is_no_record_at_all_is_answered(served: Served) -> None:
    served.shard.submit(Request(None, "local", served.sink, "t"))  # type: ignore[arg-type]  # a caller's mistake
    with pytest.raises(AttributeError):
        served.settle()

"""What comes of a request: one test a line of the table in docs/architecture.md, and what is recorded of it."""

from __future__ import annotations

import logging

import msgspec
import pytest

from shardlog import CommandAccepted, CommandRejected, CommandUnavailable, Event, Position
from shardlog.executor.requests import CommandRecord, Request
from shardlog.ids import uuid7
from tests.unit.executor.ledger import (
    Crash,
    Deposit,
    Deposited,
    Draw,
    Drawn,
    Faulty,
    Look,
    Note,
    Split,
    Transfer,
    Withdraw,
)
from tests.unit.executor.served import JOURNAL, SECOND, TIME, Served, everything, record, replayed


@pytest.fixture
def served() -> Served:
    return Served().serve()


def rejected(outcome: object) -> CommandRejected:
    assert isinstance(outcome, CommandRejected), outcome
    return outcome


def accepted(outcome: object) -> CommandAccepted:
    assert isinstance(outcome, CommandAccepted), outcome
    return outcome


def test_an_accepted_command_is_answered_with_events_version_and_token(served: Served) -> None:
    outcome = accepted(served.send("a:1", Deposit(amount=5)))
    assert outcome.events == (Deposited(amount=5),)
    assert outcome.version == 1
    assert outcome.token == Position(JOURNAL, 0, served.valid()[0][0], 0).token
    assert served.state("a:1").balance == 5


def test_a_command_that_changes_nothing_is_accepted_recorded_and_has_a_token(served: Served) -> None:
    outcome = accepted(served.send("a:1", Look()))
    assert (outcome.events, outcome.version) == ((), None)
    (entry,) = served.entries()
    assert entry.events == []
    assert outcome.token.endswith(f".{served.valid()[0][0]}.0")
    assert served.version("a:1") == 0


def test_several_events_of_one_command_take_an_index_each(served: Served) -> None:
    first = served.submit("a:1", Split(parts=3))
    second = served.submit("a:2", Deposit(amount=1))
    served.settle()
    assert accepted(served.outcome(first)).version == 3
    assert Position.parse(accepted(served.outcome(first)).token).index == 2
    assert Position.parse(accepted(served.outcome(second)).token).index == 3
    assert [e.version for e in served.entries()[0].events] == [1, 2, 3]


def test_a_business_rejection_is_recorded_and_leaves_no_other_trace(served: Served) -> None:
    before = everything(served.core.state)["streams"]
    outcome = rejected(served.send("a:1", Withdraw(amount=5)))
    assert outcome.code == "insufficient_funds"
    assert outcome.token is not None
    (entry,) = served.entries()
    assert (entry.code, entry.message, entry.source, entry.sends) == (outcome.code, outcome.message, None, [])
    assert bytes(entry.payload) == b"null"
    assert everything(served.core.state)["streams"] == before


def test_wrong_version_is_recorded_with_what_was_expected_and_what_is(served: Served) -> None:
    served.send("a:1", Deposit(amount=5))
    outcome = rejected(served.send("a:1", Deposit(amount=5), expected_version=7))
    assert outcome.code == "wrong_version"
    assert outcome.details == {"expected": 7, "actual": 1}
    assert outcome.token is not None
    assert served.entries()[-1].details == {"expected": 7, "actual": 1}
    assert served.state("a:1").balance == 5


@pytest.mark.parametrize(("expected", "is_accepted"), [(0, False), (1, True), (2, False)])
def test_a_command_may_say_at_which_version_its_stream_must_stand(
    served: Served, expected: int, is_accepted: bool
) -> None:
    served.send("a:1", Deposit(amount=5))
    outcome = served.send("a:1", Deposit(amount=1), expected_version=expected)
    assert isinstance(outcome, CommandAccepted) is is_accepted


def test_version_zero_is_a_stream_without_events(served: Served) -> None:
    assert accepted(served.send("a:1", Deposit(amount=1), expected_version=0)).version == 1


def test_the_expected_version_of_a_transaction_is_that_of_its_own_stream(served: Served) -> None:
    served.send("a:1", Deposit(amount=5))
    assert rejected(served.send("a:1", Transfer(to="a:2", amount=1), expected_version=0)).code == "wrong_version"
    assert accepted(served.send("a:1", Transfer(to="a:2", amount=1), expected_version=1)).version == 2


CRASHES = (
    "raises",
    "unprintable",
    "surrogate",
    "returns nothing",
    "returns text",
    "unknown event",
    "unreadable event",
    "rejects with a number",
    "recursion",
)


@pytest.mark.parametrize("how", CRASHES)
def test_whatever_a_decide_does_wrong_refuses_that_command_and_the_shard_lives_on(served: Served, how: str) -> None:
    """Rule: an exception in decide rejects that command; and what cannot be read back is not written."""
    crashed = served.submit("a:1", Crash(how=how))
    fine = served.submit("a:2", Deposit(amount=1))
    served.settle()
    outcome = rejected(served.outcome(crashed))
    assert outcome.code == ("odd" if how == "rejects with a number" else "internal_error")
    assert outcome.token is not None
    assert accepted(served.outcome(fine)).version == 1
    assert served.version("a:1") == 0
    assert [len(getattr(entry, "events", ())) for entry in served.entries()] == [0, 1]
    assert replayed(served) == everything(served.core.state)


def test_an_exception_in_decide_is_logged_with_its_traceback(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "shardlog.executor"):
        served.send("a:1", Crash(how="raises"), command_id="mine")
    (logged,) = caplog.records
    assert "account/a:1" in logged.getMessage()
    assert "mine" in logged.getMessage()
    assert logged.exc_info is not None
    assert isinstance(logged.exc_info[1], ZeroDivisionError)


def test_an_evolve_that_raises_refuses_the_whole_command(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    Faulty.evolve_raises = "bad"
    outcome = rejected(served.send("a:1", Note(text="bad")))
    assert outcome.code == "internal_error"
    assert "ArithmeticError" in outcome.message
    assert served.version("a:1") == 0
    assert caplog.records[-1].exc_info is not None
    assert accepted(served.send("a:1", Note(text="good"))).version == 1


def test_an_evolve_that_forgets_its_return_refuses_the_command(served: Served) -> None:
    Faulty.evolve_returns_nothing = True
    outcome = rejected(served.send("a:1", Note(text="x")))
    assert outcome.code == "internal_error"
    assert "forgotten `return`" in outcome.message
    assert served.version("a:1") == 0


def test_an_exception_in_the_second_event_undoes_the_first(served: Served) -> None:
    served.send("a:1", Note(text="first"))
    Faulty.evolve_raises = "x"
    before = everything(served.core.state)["streams"]
    assert rejected(served.send("a:1", Note(text="x", times=2))).code == "internal_error"
    assert everything(served.core.state)["streams"] == before


NOT_RECORDED = {
    "unknown_command": lambda: named(command="fly"),
    "unknown_command of an unknown category": lambda: named(category="ghost"),
    "unknown_command of no name": lambda: named(command=""),
    "invalid_command of a wrong field": lambda: _payload(b'{"amount":"five"}'),
    "invalid_command of a missing field": lambda: _payload(b"{}"),
    "invalid_command of an extra field": lambda: _payload(b'{"amount":5,"colour":1}'),
    "invalid_command of a limit": lambda: _payload(b'{"amount":0}'),
    "invalid_command of a huge number": lambda: _payload(b'{"amount":%s}' % (b"9" * 6_000)),
    "invalid_command of bytes that are no text": lambda: named(
        command="note", payload=msgspec.Raw(b'{"text":"\xff\xfe","times":1}')
    ),
    "invalid_command of no JSON": lambda: _payload(b"amount=5"),
    "invalid_command of depth": lambda: _payload(b'{"x":%s}' % (b"[" * 100_000 + b"]" * 100_000)),
    "invalid_command of an empty id": lambda: record("a:1", Deposit(amount=1)),
    "invalid_command of a long id": lambda: record("a:1", Deposit(amount=1), command_id="x" * 129),
    "invalid_command of an id with a line break": lambda: record("a:1", Deposit(amount=1), command_id="a\nb"),
    "invalid_command of an id with half a character": lambda: record("a:1", Deposit(amount=1), command_id="\ud800"),
    "invalid_command of an actor with half a character": lambda: record(
        "a:1", Deposit(amount=1), command_id="c", actor="\ud800"
    ),
    "invalid_command of a refused command's tenant": lambda: record(
        "a:1", Withdraw(amount=1), command_id="c", traceparent="\udfff"
    ),
    "invalid_id": lambda: record("a/1", Deposit(amount=1), command_id="c"),
    "expired": lambda: record("a:1", Deposit(amount=1), command_id=uuid7(TIME - 61 * SECOND, bytes(10))),
    "issued_in_future": lambda: record("a:1", Deposit(amount=1), command_id=uuid7(TIME + 11 * SECOND, bytes(10))),
}


def named(**fields: object) -> CommandRecord:
    return msgspec.structs.replace(record("a:1", Deposit(amount=1), command_id="c"), **fields)


def _payload(payload: bytes) -> CommandRecord:
    return named(payload=msgspec.Raw(payload))


@pytest.mark.parametrize("case", NOT_RECORDED)
def test_what_speaks_of_the_attempt_alone_is_answered_and_not_recorded(served: Served, case: str) -> None:
    """Rule D6, and docs/architecture.md's table: no entry, no token, no place in the window."""
    before = everything(served.core.state)
    served.shard.submit(Request(NOT_RECORDED[case](), "local", served.sink, "odd"))
    served.settle()
    outcome = rejected(served.sink.outcomes["odd"])
    assert outcome.code == case.partition(" ")[0]
    assert outcome.token is None
    assert served.frames() == []
    assert everything(served.core.state) == before
    assert accepted(served.send("a:1", Deposit(amount=1), command_id="c")).version == 1


def test_an_id_that_was_used_for_something_else_is_refused_and_not_recorded(served: Served) -> None:
    served.send("a:1", Deposit(amount=1), command_id="c")
    outcome = rejected(served.send("a:1", Deposit(amount=2), command_id="c"))
    assert (outcome.code, outcome.token) == ("id_reused", None)
    assert len(served.entries()) == 1


@pytest.mark.parametrize("id", ["", "x" * 201, "a:", ":a", "a::b", "..", "a/b", "a\nb", "ä:1", "a b", "a:..", "\x00"])
def test_an_id_that_is_none_is_refused_before_anything_is_decided(served: Served, id: str) -> None:
    outcome = rejected(served.send(id, Deposit(amount=1)))
    assert outcome.code == "invalid_id"
    assert served.frames() == []
    assert len(outcome.message) < 400


def test_a_request_for_another_shard_is_refused_as_misrouted_and_not_recorded() -> None:
    served = Served(shards=8).serve()
    outcomes = [served.send(f"k{n}:1", Deposit(amount=1)) for n in range(30)]
    codes = {rejected(outcome).code for outcome in outcomes if isinstance(outcome, CommandRejected)}
    assert codes == {"misrouted"}
    assert len(served.entries()) == sum(isinstance(outcome, CommandAccepted) for outcome in outcomes) > 0


def test_occurred_at_is_given_to_the_handler_and_recorded_and_is_the_frames_time_by_default(served: Served) -> None:
    (said,) = accepted(served.send("a:1", Draw(), occurred_at=TIME - 5 * SECOND)).events
    (unsaid,) = accepted(served.send("a:1", Draw())).events
    assert isinstance(said, Drawn)
    assert isinstance(unsaid, Drawn)
    assert (said.occurred_us, said.time_us) == (TIME - 5 * SECOND, TIME)
    assert unsaid.occurred_us == unsaid.time_us == TIME
    assert [entry.occurred_at for entry in served.entries()] == [TIME - 5 * SECOND, None]


def test_what_came_with_the_command_reaches_the_handler_and_the_record(served: Served) -> None:
    served.send("a:1", Deposit(amount=1))
    more = {"tenant": "acme", "actor": "ann", "correlation": "k", "causation": "z", "traceparent": "t", "reply_to": "r"}
    (drawn,) = accepted(served.send("a:1", Draw(), **more)).events
    assert isinstance(drawn, Drawn)
    assert (drawn.version, drawn.actor, drawn.tenant, drawn.correlation_id) == (1, "ann", "acme", "k")
    entry = served.entries()[-1]
    assert {name: getattr(entry, name) for name in more} == more
    assert entry.channel == "local"


def test_the_correlation_is_the_command_id_where_none_is_given(served: Served) -> None:
    (drawn,) = accepted(served.send("a:1", Draw(), command_id="mine")).events
    assert isinstance(drawn, Drawn)
    assert drawn.correlation_id == "mine"
    assert served.entries()[0].correlation == ""


def drawn_by(served: Served) -> Event:
    (drawn,) = accepted(served.send("a:1", Draw())).events
    return drawn


def test_ids_from_the_context_are_a_function_of_claim_frame_and_entry() -> None:
    """Rule: the context is seeded by journal, shard, epoch, nonce, seq and number of the entry."""
    first, second = Served().serve(), Served().serve()
    assert drawn_by(first) == drawn_by(second)
    assert drawn_by(first) != drawn_by(second.restarted().serve())
    several = Served().serve()
    tickets = [several.submit(f"a:{n}", Draw()) for n in range(3)]
    several.settle()
    ids = {id for ticket in tickets for id in accepted(several.outcome(ticket)).events[0].ids}
    assert len(ids) == 6


def test_a_full_queue_answers_unavailable_at_once_with_a_delay() -> None:
    served = Served(limits={"queue_commands_max": 2, "retry_after_ms": 123}).serve()
    tickets = [served.submit("a:1", Deposit(amount=1)) for _ in range(3)]
    outcome = served.outcome(tickets[2])
    assert isinstance(outcome, CommandUnavailable)
    assert (outcome.code, outcome.retry_after_ms) == ("unavailable", 123)
    assert "queue_commands_max" in outcome.message
    served.settle()
    assert served.state("a:1").balance == 2


def test_a_command_whose_outcome_is_too_large_is_refused_and_can_be_split(served: Served) -> None:
    small = Served(limits={"frame_bytes_max": 30_000, "command_bytes_max": 5_000}).serve()
    outcome = rejected(small.send("a:1", Note(text="x" * 100, times=150)))
    assert (outcome.code, outcome.token) == ("too_large", None)
    assert small.frames() == []
    assert small.version("a:1") == 0
    assert accepted(small.send("a:1", Note(text="x" * 100, times=10))).version == 10


@pytest.mark.parametrize("field", ["actor", "tenant", "correlation", "causation", "traceparent", "reply_to"])
def test_a_refusal_that_would_not_fit_a_frame_is_answered_and_not_recorded(field: str) -> None:
    small = Served(limits={"frame_bytes_max": 30_000, "command_bytes_max": 5_000}).serve()
    outcome = rejected(small.send("a:1", Withdraw(amount=1), **{field: "x" * 20_000}))
    assert (outcome.code, outcome.token) == ("too_large", None)
    assert small.frames() == []


def test_a_command_above_command_bytes_max_is_refused_before_it_is_decided() -> None:
    small = Served(limits={"frame_bytes_max": 30_000, "command_bytes_max": 3_000}).serve()
    outcome = rejected(small.send("a:1", Note(text="x" * 3_000)))
    assert (outcome.code, outcome.token) == ("too_large", None)
    assert "command_bytes_max" in outcome.message
    assert small.frames() == []

"""Nobody is told what does not stand in the log, by answers or reads: rules A2, K2 and K3 as executors hold them."""

from __future__ import annotations

import pytest

from shardlog import CommandAccepted
from shardlog.executor.mode import Mode
from shardlog.executor.requests import Read, StreamState
from tests.unit.executor.ledger import Deposit, Withdraw
from tests.unit.executor.pending import claims, code, pend
from tests.unit.executor.served import JOURNAL, Served, everything, replayed


# -- answers -----------------------------------------------------------------------------------------------------------
def test_nothing_is_said_before_the_frame_stands_in_the_log(served: Served) -> None:
    """Rule K3: replies, rejections and refusals alike see acknowledged state only."""
    served.send("a:1", Deposit(amount=5), command_id="known")
    tickets = [
        served.submit("a:1", Deposit(amount=1)),
        served.submit("a:1", Withdraw(amount=10**6)),
        served.submit("a:1", Deposit(amount=9), command_id="known"),
        served.submit("a:1", Deposit(amount=5), command_id="known"),
        served.submit("a/1", Deposit(amount=1)),
    ]
    served.step(5)
    assert not any(served.is_answered(ticket) for ticket in tickets)
    assert served.shard.frames == 1
    served.settle()
    assert [code(served.outcome(ticket)) for ticket in tickets] == [
        "accepted",
        "insufficient_funds",
        "id_reused",
        "accepted",
        "invalid_id",
    ]


def test_an_answer_that_needs_no_frame_waits_for_those_it_may_rest_on(served: Served) -> None:
    pend(served)
    refused = served.submit("a/1", Deposit(amount=1))
    served.step(3)
    assert not served.is_answered(refused)
    served.settle()
    assert code(served.outcome(refused)) == "invalid_id"


def test_an_answer_that_rests_on_acknowledged_state_alone_is_given_at_once(served: Served) -> None:
    refused = served.submit("a/1", Deposit(amount=1))
    served.step()
    assert code(served.outcome(refused)) == "invalid_id"


def test_at_most_pending_frames_max_are_on_their_way(served: Served) -> None:
    """Rule A2."""
    pend(served, 6)
    assert len(served.journal.in_flight()) == 4
    assert served.core.pending == 4
    served.settle()
    assert served.state("a:1").balance == 6


def test_few_commands_wait_while_a_frame_is_on_its_way() -> None:
    served = Served(limits={"pipelined_commands_min": 3}).serve()
    pend(served, 3)
    (first,) = served.journal.in_flight()
    assert served.core.pending == 1
    assert not served.shard.has_work
    served.journal.deliver(first)
    served.step()
    (second,) = served.journal.in_flight()
    served.journal.deliver(second)
    served.settle()
    assert served.state("a:1").balance == 3


def test_enough_commands_begin_a_frame_beside_the_one_that_is_on_its_way() -> None:
    served = Served(limits={"pipelined_commands_min": 3}).serve()
    pend(served, 3)
    served.submit("a:1", Deposit(amount=1))
    assert served.shard.has_work
    served.step()
    assert len(served.journal.in_flight()) == 2
    served.settle()
    assert served.state("a:1").balance == 4


def test_no_frame_is_built_before_the_claim_was_seen() -> None:
    """Rule A2: no frame before T2."""
    served = Served()
    ticket = served.submit("a:1", Deposit(amount=1))
    served.step(5)
    (claim,) = served.journal.in_flight()
    assert b'"claim"' in claim.value
    assert served.shard.mode is Mode.CLAIMING
    claim.report(0)  # whatever the report says
    served.step(3)
    assert served.shard.mode is Mode.CLAIMING
    served.journal.land(claim)
    served.settle()
    assert code(served.outcome(ticket)) == "accepted"


def test_a_report_without_an_offset_is_settled_by_reading(served: Served) -> None:
    """Rule K2, and the answer bears the offset that was read."""
    served.journal.write(0, b"foreign")
    ticket = served.submit("a:1", Deposit(amount=1))
    served.step()
    (flight,) = served.journal.in_flight()
    offset = served.journal.land(flight)
    flight.report(None)
    served.settle()
    outcome = served.outcome(ticket)
    assert isinstance(outcome, CommandAccepted)
    assert outcome.token == f"{JOURNAL}.0.{offset}.0"
    assert claims(served) == [1]


@pytest.mark.parametrize("said", [-1, 0, 1, 7])
def test_a_report_of_a_wrong_offset_is_not_believed(served: Served, said: int) -> None:
    """Rule K2: acknowledged at the offset read, or not at all."""
    ticket = served.submit("a:1", Deposit(amount=1))
    served.step()
    (flight,) = served.journal.in_flight()
    offset = served.journal.land(flight)
    served.journal.write(0, b"foreign")
    flight.report(offset + said if said else offset)
    served.step(2)
    if said != 7:
        outcome = served.outcome(ticket)
        assert isinstance(outcome, CommandAccepted)
        assert outcome.token == f"{JOURNAL}.0.{offset}.0"
    served.world.wait(11_000)
    served.settle()
    assert served.state("a:1").balance == 1
    assert replayed(served) == everything(served.core.state)


def test_a_frame_that_landed_twice_counts_once(served: Served) -> None:
    ticket = served.submit("a:1", Deposit(amount=1))
    served.step()
    (flight,) = served.journal.in_flight()
    first = served.journal.land(flight, may_land_again=True)
    second = served.journal.land(flight)
    flight.report(second)
    served.settle()
    outcome = served.outcome(ticket)
    assert isinstance(outcome, CommandAccepted)
    assert outcome.token == f"{JOURNAL}.0.{first}.0"
    assert served.send("a:1", Deposit(amount=1)).version == 2
    assert replayed(served) == everything(served.core.state)


# -- reads -------------------------------------------------------------------------------------------------------------
def read(served: Served, id: str, category: str = "account") -> str:
    """Ask for a stream's state; returns the ticket."""
    ticket = f"read {len(served.sink.outcomes)} {served.shard.mode}"
    served.shard.submit(Read(category, id, served.sink, ticket))
    return ticket


def test_a_read_waits_for_the_frames_that_it_may_rest_on(served: Served) -> None:
    """Rule K3: what is read is acknowledged."""
    pend(served)
    ticket = read(served, "a:1")
    served.shard.step()
    assert ticket not in served.sink.outcomes
    served.settle()
    assert served.sink.outcomes[ticket] == StreamState(1, served.state("a:1"))


def test_a_read_of_a_frame_that_failed_is_answered_from_what_is_there_then(served: Served) -> None:
    pend(served)
    ticket = read(served, "a:1")
    served.shard.step()
    (flight,) = served.journal.in_flight()
    served.journal.lose(flight)
    served.journal.fail(flight)
    served.restarted().serve().send("a:1", Deposit(amount=41))
    served.settle()
    assert served.sink.outcomes[ticket].state.balance in (41, 42)


@pytest.mark.parametrize(
    ("category", "id", "code_expected"), [("nothing", "a", "unknown_command"), ("account", "..", "invalid_id")]
)
def test_a_read_of_what_can_be_no_stream_is_refused(served: Served, category: str, id: str, code_expected: str) -> None:
    ticket = read(served, id, category)
    served.settle()
    assert code(served.sink.outcomes[ticket]) == code_expected


def test_a_read_of_a_stopped_shard_is_unavailable(served: Served) -> None:
    served.shard.close()
    assert code(served.sink.outcomes[read(served, "a:1")]) == "unavailable"

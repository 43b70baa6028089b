"""Whoever waits over a failure, a drain or a stop is answered, and with no more than is known."""

from __future__ import annotations

import pytest

from shardlog import CommandUnavailable
from shardlog.errors import Corrupt
from shardlog.executor.mode import Mode
from shardlog.ids import uuid7
from tests.unit.executor.ledger import Deposit, Note, Withdraw
from tests.unit.executor.pending import code, pend
from tests.unit.executor.served import SECOND, TIME, HandInput, Served, everything, value


# -- over a failure ----------------------------------------------------------------------------------------------------
def test_requests_keep_their_order_over_a_failure(served: Served) -> None:
    served.send("a:1", Deposit(amount=1))
    pend(served, 2)
    last = served.submit("a:1", Withdraw(amount=3))
    served.step()
    after = served.submit("a:1", Withdraw(amount=1))
    for flight in served.journal.in_flight():
        served.journal.lose(flight)
        served.journal.fail(flight)
    served.settle()
    assert [code(served.outcome(ticket)) for ticket in (last, after)] == ["accepted", "insufficient_funds"]


def test_a_waiting_request_whose_id_grew_too_old_meanwhile_is_told_so_or_gets_its_first_reply(served: Served) -> None:
    old = uuid7(TIME - 50 * SECOND, bytes(10))
    lost = served.submit("a:1", Deposit(amount=1), command_id=old)
    served.step()
    (flight,) = served.journal.in_flight()
    served.journal.lose(flight)
    served.world.wait(11_000)
    served.settle()
    assert code(served.outcome(lost)) == "expired"
    assert served.version("a:1") == 0


def test_a_waiting_request_that_may_have_left_the_window_is_not_decided_again(served: Served) -> None:
    """A plain id has no age: were it decided anew after the window has passed, it would be applied twice."""
    (ticket,) = pend(served)
    (flight,) = served.journal.in_flight()
    served.journal.land(flight)
    heir = served.restarted().serve()
    for _ in range(8):
        heir.world.wait(10_000)
        heir.send("tick:1", Deposit(amount=1), command_id=f"tick-{heir.world.clock.us}")
    served.world.wait(80_000)
    served.journal.fail(flight)
    served.settle()
    assert code(served.outcome(ticket)) == "outcome_unknown"
    assert served.state("a:1").balance == 1


def test_a_repeat_of_what_is_acknowledged_is_answered_even_if_the_frame_that_it_waits_for_fails(served: Served) -> None:
    first = served.send("a:1", Deposit(amount=1), command_id="c")
    served.world.wait(50_000)
    served.submit("a:1", Deposit(amount=1))
    repeat = served.submit("a:1", Deposit(amount=1), command_id="c")
    served.step()
    (flight,) = served.journal.in_flight()
    served.world.wait(40_000)
    heir = served.restarted()
    heir.step()
    heir.journal.deliver(next(claim for claim in heir.journal.in_flight() if claim is not flight))
    heir.step()
    heir.submit("tick:1", Deposit(amount=1), command_id="tick")
    heir.step()
    heir.journal.deliver(next(tick for tick in heir.journal.in_flight() if tick is not flight))
    served.journal.lose(flight)
    served.journal.fail(flight)
    served.settle()
    assert served.outcome(repeat) == first
    assert served.state("a:1").balance == 2


def test_only_requests_older_than_the_window_are_given_up_and_younger_ones_decided_anew(served: Served) -> None:
    """Each has the time of its own first frame: that of an older one says nothing of it."""
    (old,) = pend(served)
    (flight,) = served.journal.in_flight()
    served.journal.lose(flight)
    served.world.wait(50_000)
    young = served.submit("a:1", Deposit(amount=1), command_id="young")
    served.shard.step()
    for flight in served.journal.in_flight():
        served.journal.lose(flight)
        served.journal.fail(flight)
    served.world.wait(15_000)
    served.settle()
    assert code(served.outcome(old)) == "outcome_unknown"
    assert code(served.outcome(young)) == "accepted"


# -- where it does not come back ---------------------------------------------------------------------------------------
def refuse_appends(served: Served) -> None:
    """A disk that is full: every append ends in an error, and nothing lands."""
    for _ in range(40):
        for flight in served.journal.in_flight():
            served.journal.lose(flight)
            served.journal.fail(flight)
        served.step()
        served.world.wait(1_000)


def test_while_the_journal_takes_nothing_those_who_wait_are_answered_and_later_ones_served(served: Served) -> None:
    pending = pend(served, 2)
    queued = served.submit("a:1", Deposit(amount=1), command_id="q")
    refuse_appends(served)
    assert [code(served.outcome(ticket)) for ticket in pending] == ["outcome_unknown"] * 2
    assert code(served.outcome(queued)) == "unavailable"
    assert "journal takes no appends" in served.outcome(queued).message
    late = served.submit("a:1", Deposit(amount=1), command_id="late")
    refuse_appends(served)
    assert code(served.outcome(late)) == "unavailable"
    served.settle()
    assert served.shard.mode is Mode.SERVING
    assert code(served.send("a:1", Deposit(amount=1), command_id="p-0")) == "accepted"
    assert served.state("a:1").balance == 1


def test_a_shard_that_stops_while_it_recovers_does_not_say_of_what_may_have_landed_that_it_was_not_applied() -> None:
    served = Served().serve()
    served.send("a:1", Note(text="x"))
    (ticket,) = pend(served)
    queued = served.submit("a:1", Deposit(amount=1), command_id="q")
    (flight,) = served.journal.in_flight()
    served.journal.land(flight)
    served.journal.fail(flight)
    served.step()
    served.journal.tear(0, served.journal.offsets(0)[1] - 1)
    with pytest.raises(Corrupt) as found:
        served.settle()
    served.shard.fail_for_good(found.value)
    assert code(served.outcome(ticket)) == "outcome_unknown"
    assert code(served.outcome(queued)) == "unavailable"


def test_closing_answers_what_is_on_its_way_and_what_waits(served: Served) -> None:
    pending = pend(served, 4)
    queued = served.submit("a:1", Deposit(amount=1), command_id="q")
    served.shard.close()
    served.shard.close()
    assert [code(served.outcome(ticket)) for ticket in pending] == ["outcome_unknown"] * 4
    assert code(served.outcome(queued)) == "unavailable"
    assert all(flight.is_ghost for flight in served.journal.in_flight())


def test_a_fault_of_the_engine_in_the_middle_of_a_frame_leaves_no_trace_and_nobody_without_an_answer() -> None:
    class Breaks(HandInput):
        def read(self, shard: int, start: int, limit: int) -> list[tuple[int, bytes]]:
            return [(0, None)] if self.values else []  # type: ignore[list-item]  # what no input may give

    source = Breaks()
    served = Served(inputs=[source]).serve()
    before = everything(served.core.state)
    (pending,) = pend(served)
    source.put(b"")
    ticket = served.submit("a:1", Deposit(amount=1), command_id="q")
    with pytest.raises(TypeError):
        served.step()
    served.shard.fail_for_good(RuntimeError("broken"))
    assert code(served.outcome(ticket)) == "outcome_unknown"
    assert code(served.outcome(pending)) == "outcome_unknown"
    assert everything(served.core.state) == before


def test_draining_finishes_what_was_taken_and_takes_no_more(served: Served) -> None:
    source = HandInput()
    served = Served(inputs=[source]).serve()
    tickets = pend(served, 6)
    served.shard.drain()
    source.put(value("a:1", Deposit(amount=100)))
    late = served.submit("a:1", Deposit(amount=1), command_id="late")
    assert code(served.outcome(late)) == "unavailable"
    served.settle()
    assert [code(served.outcome(ticket)) for ticket in tickets] == ["accepted"] * 6
    assert served.shard.mode is Mode.STOPPED
    assert served.state("a:1").balance == 6
    again = served.restarted().serve()
    assert again.state("a:1").balance == 106


def test_draining_over_a_failure_still_answers_everybody(served: Served) -> None:
    tickets = pend(served, 3)
    served.shard.drain()
    first = served.journal.in_flight()[0]
    served.journal.land(first)
    served.journal.fail(first)
    served.settle()
    assert [code(served.outcome(ticket)) for ticket in tickets] == ["accepted"] * 3
    assert served.shard.mode is Mode.STOPPED
    assert served.state("a:1").balance == 3


def test_a_stopped_shard_answers_with_what_stopped_it(served: Served) -> None:
    served.shard.fail_for_good(Corrupt(0, 7, "torn"))
    outcome = served.outcome(served.submit("a:1", Deposit(amount=1)))
    assert isinstance(outcome, CommandUnavailable)
    assert "offset 7" in outcome.message

"""Owners that wake up after another took over, and who may claim: rules T3, F2 and F4 as executors hold them."""

from __future__ import annotations

import pytest

from shardlog import CommandAccepted
from shardlog.executor.mode import Mode
from tests.unit.executor.ledger import Deposit, Withdraw
from tests.unit.executor.pending import claims, code, pend
from tests.unit.executor.served import Served, everything, replayed


# -- two owners --------------------------------------------------------------------------------------------------------
def test_a_paused_owner_that_wakes_up_acknowledges_nothing() -> None:
    """Two writers may run for a while, one at most is believed."""
    zombie = Served().serve()
    zombie.send("a:1", Deposit(amount=1))
    tickets = pend(zombie, 2)
    sleeping = zombie.journal.in_flight()
    heir = zombie.restarted()
    heir.step()
    claim = next(flight for flight in heir.journal.in_flight() if flight not in sleeping)
    heir.journal.deliver(claim)
    heir.step()
    assert heir.shard.mode is Mode.SERVING
    heir.submit("a:1", Withdraw(amount=1), command_id="heir")
    heir.step()
    heir.journal.deliver(next(flight for flight in heir.journal.in_flight() if flight not in sleeping))
    heir.step()
    assert heir.state("a:1").balance == 0
    for flight in sleeping:
        heir.journal.deliver(flight)
    zombie.step()
    assert not any(zombie.is_answered(ticket) for ticket in tickets)
    assert zombie.shard.mode is Mode.BACKING_OFF
    assert zombie.shard.frames == 1


def test_a_fenced_owner_that_is_still_assigned_takes_the_shard_back_and_settles_its_requests() -> None:
    """Rule F4: Fenced, then F2 and F3."""
    zombie = Served().serve()
    zombie.send("a:1", Deposit(amount=1), command_id="one")
    heir = zombie.restarted().serve()
    heir.send("a:1", Withdraw(amount=1), command_id="w")
    (ticket,) = pend(zombie)
    zombie.settle()
    outcome = zombie.outcome(ticket)
    assert isinstance(outcome, CommandAccepted)
    assert outcome.version == 3
    assert zombie.state("a:1").balance == 1
    assert claims(zombie) == [1, 2, 3]
    (late,) = pend(heir, first=9)
    heir.settle()
    assert heir.outcome(late).version == 4
    assert everything(heir.core.state) == replayed(heir)


def test_a_fenced_owner_that_is_not_assigned_any_more_stops_and_says_that_nobody_knows() -> None:
    """Rule F4: unknown outcome, same id."""
    assigned = [True]
    zombie = Served(is_assigned=lambda _since_ms: assigned[0]).serve()
    heir = zombie.restarted().serve()
    heir.send("a:1", Deposit(amount=5))
    pending = pend(zombie, 4)
    queued = zombie.submit("a:1", Deposit(amount=1), command_id="q")
    assigned[0] = False
    zombie.settle()
    assert zombie.shard.mode is Mode.STOPPED
    assert [code(zombie.outcome(ticket)) for ticket in pending] == ["outcome_unknown"] * 4
    assert code(zombie.outcome(queued)) == "unavailable"
    late = zombie.submit("a:1", Deposit(amount=1), command_id="late")
    assert code(zombie.outcome(late)) == "unavailable"
    heir.settle()
    assert replayed(heir) == everything(heir.core.state)
    assert heir.state("a:1").balance == 5


def test_an_idle_owner_notices_its_successor_with_its_next_frame_and_decides_on_the_new_state() -> None:
    zombie = Served().serve()
    zombie.send("a:1", Deposit(amount=10), command_id="ten")
    heir = zombie.restarted().serve()
    heir.send("a:1", Withdraw(amount=10), command_id="out")
    ticket = zombie.submit("a:1", Withdraw(amount=10), command_id="again")
    zombie.settle()
    assert code(zombie.outcome(ticket)) == "insufficient_funds"


# -- who is assigned ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("what", ["append fails", "claim is lost", "backs off"])
def test_who_is_not_assigned_any_more_claims_nothing(what: str) -> None:
    """Rules T3, F2, F4: whatever ended its epoch, it deposes nobody."""
    assigned = [True]
    served = Served(is_assigned=lambda _since_ms: assigned[0]).serve()
    (ticket,) = pend(served)
    (flight,) = served.journal.in_flight()
    served.journal.lose(flight)
    served.journal.fail(flight)
    if what == "append fails":
        assigned[0] = False
    served.step()
    if what == "claim is lost":
        served.step()
        heir = served.restarted()
        heir.step()
        served.journal.deliver(served.journal.in_flight()[-1])
    assigned[0] = False
    before = claims(served)
    for _ in range(20):
        served.step()
        served.journal.deliver_all()
    assert served.shard.mode is Mode.STOPPED
    assert claims(served) == before
    assert code(served.outcome(ticket)) == "outcome_unknown"


def test_one_that_was_fenced_claims_again_only_when_somebody_has_looked_whose_the_shard_is() -> None:
    """A process that was paused holds assignments of before: by those it would take its shard back."""
    looked_ms, assigned = [0.0], [True]
    zombie = Served(is_assigned=lambda since_ms: None if looked_ms[0] < since_ms else assigned[0]).serve()
    heir = zombie.restarted().serve()
    zombie.world.wait(5_000)
    zombie.submit("a:1", Deposit(amount=1), command_id="late")
    zombie.settle()
    assert zombie.shard.mode is Mode.REPLAYING
    assert claims(zombie) == [1, 2]
    looked_ms[0], assigned[0] = zombie.world.monotonic_ms(), False
    zombie.settle()
    assert zombie.shard.mode is Mode.STOPPED
    assert claims(zombie) == [1, 2]
    assert replayed(heir) == everything(heir.core.state)


def test_one_that_is_still_assigned_when_somebody_has_looked_claims_again() -> None:
    looked_ms = [0.0]
    owner = Served(is_assigned=lambda since_ms: None if looked_ms[0] < since_ms else True).serve()
    owner.restarted().serve()
    owner.world.wait(5_000)
    ticket = owner.submit("a:1", Deposit(amount=1), command_id="late")
    owner.settle()
    assert not owner.is_answered(ticket)
    looked_ms[0] = owner.world.monotonic_ms()
    owner.settle()
    assert claims(owner) == [1, 2, 3]
    assert owner.outcome(ticket).version == 1

"""Appends that fail, claims that are lost, owners that wake up: rules T1-T4, K1-K3, F1-F4 as executors hold them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

import pytest

from shardlog import CommandAccepted, CommandRejected, CommandUnavailable, Outcome
from shardlog.adapters.memory.faulty import Faults, FaultyJournal, Flight
from shardlog.errors import AppendFailed, Corrupt
from shardlog.executor.mode import Mode
from shardlog.executor.requests import Read, StreamState
from shardlog.ids import uuid7
from shardlog.journal.reader import ClaimTaken, Reader
from shardlog.ports.journal import Writer
from shardlog.ports.sends import At, SendsSource
from tests.unit.executor.ledger import Deposit, Draw, Faulty, Note, Withdraw
from tests.unit.executor.served import (
    JOURNAL,
    SECOND,
    TIME,
    HandInput,
    HandWorld,
    Served,
    everything,
    origin,
    replayed,
    value,
)


@pytest.fixture
def served() -> Served:
    return Served().serve()


def pend(served: Served, count: int = 1, first: int = 0) -> list[int]:
    """Frames on their way, one deposit of 1 each; their tickets."""
    tickets = []
    for n in range(first, first + count):
        tickets.append(served.submit("a:1", Deposit(amount=1), command_id=f"p-{n}"))
        served.step()
    return tickets


def code(outcome: Outcome) -> str:
    return "accepted" if isinstance(outcome, CommandAccepted) else outcome.code


def claims(served: Served) -> list[int]:
    """The epochs of valid claims."""
    reader = Reader(JOURNAL, served.number, served.shards)
    verdicts = [reader.pass_over(offset, found) for offset, found in served.journal.read(served.number, 0)]
    return [verdict.epoch for verdict in verdicts if isinstance(verdict, ClaimTaken)]


# -- acknowledgement ---------------------------------------------------------------------------------------------------
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


# -- failure -----------------------------------------------------------------------------------------------------------
def test_after_a_failed_append_that_had_landed_the_first_reply_is_given(served: Served) -> None:
    """Rules F1-F3: rollback, replay to the own claim, and each waiting request is settled by id."""
    served.send("a:1", Deposit(amount=10))
    (ticket,) = pend(served)
    (flight,) = served.journal.in_flight()
    offset = served.journal.land(flight)
    served.journal.fail(flight)
    served.step()
    assert not served.is_answered(ticket)
    served.settle()
    outcome = served.outcome(ticket)
    assert isinstance(outcome, CommandAccepted)
    assert (outcome.token, outcome.version) == (f"{JOURNAL}.0.{offset}.0", 2)
    assert claims(served) == [1, 2]
    assert served.state("a:1").balance == 11


def test_after_a_failed_append_that_had_not_landed_the_command_is_decided_anew(served: Served) -> None:
    (ticket,) = pend(served)
    (flight,) = served.journal.in_flight()
    served.journal.lose(flight)
    served.journal.fail(flight)
    served.settle()
    outcome = served.outcome(ticket)
    assert isinstance(outcome, CommandAccepted)
    assert served.state("a:1").balance == 1
    assert claims(served) == [1, 2]


def test_a_command_decided_anew_draws_other_ids_in_the_new_epoch(served: Served) -> None:
    """What was drawn in the old epoch may stand in a ghost that does not count; the new one never collides with
    it."""
    ticket = served.submit("a:1", Draw())
    served.step()
    (flight,) = served.journal.in_flight()
    served.journal.lose(flight)
    served.journal.fail(flight)
    served.settle()
    outcome = served.outcome(ticket)
    assert isinstance(outcome, CommandAccepted)
    (drawn,) = outcome.events
    assert drawn.ids[0].encode() not in flight.value


@pytest.mark.parametrize("landed", range(5))
def test_of_four_frames_on_their_way_those_that_landed_are_kept_and_the_others_decided_anew(landed: int) -> None:
    served = Served().serve()
    tickets = pend(served, 4)
    flights = served.journal.in_flight()
    offsets = [served.journal.land(flight) for flight in flights[:landed]]
    for flight in flights[landed:]:
        served.journal.lose(flight)
    served.journal.fail(flights[0])
    served.settle()
    outcomes = [served.outcome(ticket) for ticket in tickets]
    assert [outcome.version for outcome in outcomes] == [1, 2, 3, 4]
    assert [outcome.token for outcome in outcomes[:landed]] == [f"{JOURNAL}.0.{offset}.0" for offset in offsets]
    assert served.state("a:1").balance == 4
    assert replayed(served) == everything(served.core.state)


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


def test_a_gap_that_a_lost_frame_leaves_fails_all_that_is_built_on_it(served: Served) -> None:
    """The first is lost in silence, the second lands: it is invalid, and reading shows it (K2: FAIL)."""
    tickets = pend(served, 2)
    first, second = served.journal.in_flight()
    served.journal.lose(first)
    served.journal.deliver(second)
    served.settle()
    assert [code(served.outcome(ticket)) for ticket in tickets] == ["accepted", "accepted"]
    assert served.state("a:1").balance == 2
    assert claims(served) == [1, 2]


def test_a_report_that_never_comes_is_failed_by_the_deadline(served: Served) -> None:
    """Rule F1: the writer's own deadline, append_deadline_ms."""
    (ticket,) = pend(served)
    (flight,) = served.journal.in_flight()
    served.journal.land(flight)
    served.world.wait(10_000)
    served.step(2)
    assert served.shard.mode is Mode.SERVING
    served.world.wait(1)
    served.step()
    assert served.shard.mode is Mode.BACKING_OFF
    served.settle()
    outcome = served.outcome(ticket)
    assert isinstance(outcome, CommandAccepted)
    assert outcome.version == 1
    assert claims(served) == [1, 2]


def test_a_late_report_of_an_abandoned_producer_is_passed_over(served: Served) -> None:
    (ticket,) = pend(served)
    (flight,) = served.journal.in_flight()
    served.journal.fail(flight)
    served.settle()
    served.journal.fail(flight)
    flight.report(99)
    served.settle()
    assert claims(served) == [1, 2]
    assert code(served.outcome(ticket)) == "accepted"


def test_a_ghost_that_lands_before_the_new_claim_counts_and_its_request_is_answered_from_it(served: Served) -> None:
    """Rule T2: "read to the end" is never final; the own claim is."""
    (ticket,) = pend(served)
    (ghost,) = served.journal.in_flight()
    served.journal.fail(ghost)
    served.step()  # gives up
    served.step(3)  # backs off, reads to the end as known, claims
    assert served.shard.mode is Mode.CLAIMING
    claim = next(flight for flight in served.journal.in_flight() if flight is not ghost)
    offset = served.journal.land(ghost)
    assert ghost.is_ghost
    served.journal.deliver(claim)
    served.settle()
    outcome = served.outcome(ticket)
    assert isinstance(outcome, CommandAccepted)
    assert outcome.token == f"{JOURNAL}.0.{offset}.0"
    assert served.state("a:1").balance == 1


def test_a_ghost_that_lands_after_the_new_claim_never_counts(served: Served) -> None:
    (ticket,) = pend(served)
    (ghost,) = served.journal.in_flight()
    served.journal.fail(ghost)
    served.step(4)
    claim = next(flight for flight in served.journal.in_flight() if flight is not ghost)
    served.journal.deliver(claim)
    served.journal.land(ghost)
    served.settle()
    outcome = served.outcome(ticket)
    assert isinstance(outcome, CommandAccepted)
    assert served.state("a:1").balance == 1
    assert len(served.frames()) == 1
    assert replayed(served) == everything(served.core.state)


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


# -- claims ------------------------------------------------------------------------------------------------------------
def test_a_claim_that_is_not_seen_by_the_deadline_is_made_again_with_another_nonce() -> None:
    """Rule T3."""
    served = Served()
    served.step()
    (lost,) = served.journal.in_flight()
    served.journal.lose(lost)
    served.world.wait(10_001)
    served.settle()
    assert served.shard.mode is Mode.SERVING
    assert claims(served) == [1]
    nonces = {bytes(flight.value).split(b'"')[7] for flight in served.journal.flights}
    assert len(nonces) == 2


def test_a_claim_that_landed_though_its_report_is_an_error_is_won() -> None:
    """Rule T2: whatever the delivery report says."""
    served = Served()
    served.step()
    (claim,) = served.journal.in_flight()
    served.journal.fail(claim)
    served.step(3)
    assert served.shard.mode is Mode.CLAIMING
    served.journal.land(claim)
    served.settle()
    assert served.shard.mode is Mode.SERVING
    assert claims(served) == [1]


def test_a_late_report_of_a_claim_that_was_given_up_does_not_end_the_next_one() -> None:
    served = Served()
    served.step()
    (old,) = served.journal.in_flight()
    served.journal.lose(old)
    served.world.wait(10_001)
    served.step(3)
    (new,) = served.journal.in_flight()
    old.report(OSError("the claim never left this process"))
    served.step()
    assert served.shard.mode is Mode.CLAIMING
    served.journal.deliver(new)
    served.settle()
    assert served.shard.mode is Mode.SERVING


def test_a_claim_that_lands_late_after_the_deadline_is_not_its_own_any_more() -> None:
    served = Served()
    served.step()
    (late,) = served.journal.in_flight()
    served.world.wait(10_001)
    served.step(2)
    served.journal.land(late)
    served.settle()
    assert served.shard.mode is Mode.SERVING
    assert claims(served) == [1, 2]


def test_the_loser_of_a_claim_waits_before_it_claims_again_and_then_takes_over() -> None:
    """Rule T3, F4: two contenders never own the same epoch."""
    journal = FaultyJournal(1)
    one, two = Served(journal), Served(journal, world=HandWorld(1))
    one.step()
    two.step()
    journal.deliver_all()
    one.step()
    two.step()
    assert one.shard.mode is Mode.SERVING
    assert wait_that_follows(two) == 50
    two.settle()
    assert two.shard.mode is Mode.SERVING
    assert claims(two) == [1, 2]


def wait_that_follows(served: Served) -> float:
    """How long the shard waits before its next claim, in milliseconds."""
    assert served.shard.mode is Mode.BACKING_OFF
    began = served.world.monotonic_ms()
    while not served.shard.step():
        served.world.wait(10)
    return served.world.monotonic_ms() - began


def test_back_off_grows_while_claims_fail_and_is_forgotten_with_the_first_frame_that_counts() -> None:
    served = Served()
    waits = []
    for _ in range(9):
        served.step()
        for flight in served.journal.in_flight():
            served.journal.lose(flight)
        served.world.wait(10_001)
        served.shard.step()
        waits.append(wait_that_follows(served))
    assert waits == [50, 100, 200, 400, 800, 1600, 3200, 5000, 5000]
    served.serve()
    assert served.shard.failing is not None
    served.send("a:1", Deposit(amount=1))
    assert served.shard.failing is None


def test_a_disk_that_takes_claims_and_no_frames_is_not_filled_with_claims() -> None:
    served = Served().serve()
    ends = served.world.monotonic_ms() + 600_000
    while served.world.monotonic_ms() < ends:
        if served.shard.mode is Mode.SERVING:
            served.submit("a:1", Deposit(amount=1))
            served.shard.step()
            for flight in served.journal.in_flight():
                served.journal.lose(flight)
                served.journal.fail(flight)
        else:
            served.journal.deliver_all()
        served.shard.step()
        served.world.wait(10)
    assert len(claims(served)) <= 600 / 5 + 10


def test_two_contenders_for_ten_minutes_make_few_claims_though_each_gets_frames_in_between() -> None:
    journal = FaultyJournal(1)
    one = Served(journal)
    two = Served(journal, world=HandWorld(1, one.world.clock))
    for turn in range(60_000):
        for served in (one, two):
            if turn % 10 == 0:
                served.submit("a:1", Deposit(amount=1), command_id=f"{turn}-{id(served)}")
            served.shard.step()
            journal.deliver_all()
            served.shard.step()
        one.world.wait(10)
    assert len(claims(one)) <= 2 * (600 / 5 + 10)
    accepted = [o for served in (one, two) for o in served.sink.outcomes.values() if isinstance(o, CommandAccepted)]
    balance = one.restarted().serve().state("a:1").balance
    assert 1_000 < len({outcome.token for outcome in accepted}) == len(accepted) <= balance


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


# -- nobody who waits is left without an answer ------------------------------------------------------------------------
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


# -- random walks ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("seed", range(60))
def test_whatever_the_network_does_each_command_is_applied_once_where_its_answer_says(seed: int) -> None:
    """Two processes on one shard, an unkind network, one of them often paused; then all calms down."""
    random = Random(seed)
    journal = FaultyJournal(1)
    world = HandWorld()
    source = HandInput()
    owners = [
        Served(journal, world=world, inputs=[source]),
        Served(journal, world=HandWorld(7, world.clock), inputs=[source]),
    ]
    faults = Faults(journal, random, unkindness=random.random())
    asked: list[tuple[Served, int, str]] = []
    for n in range(300):
        owner = owners[0] if random.random() < 0.7 else owners[1]
        happening = random.random()
        if happening < 0.2:
            command_id = f"{seed}-{n}"
            stream = f"a:{random.randrange(3)}"
            asked.append((owner, owner.submit(stream, Deposit(amount=1), command_id=command_id), command_id))
        elif happening < 0.23:
            source.put(value("f:1", Deposit(amount=1)))
        elif happening < 0.6:
            owner.step()
        elif happening < 0.95:
            faults.step()
        else:
            world.wait(random.choice([10, 1_000, 11_000]))
    for owner in owners * 3:  # one after the other, so that neither fences the other for ever
        owner.settle()
        world.wait(11_000)  # what is lost in silence is given up
    last = max(owners, key=lambda owner: owner.writer.reader.epoch)
    last.settle()
    check_answers(last, asked)
    assert last.state("f:1") is None or last.state("f:1").balance == len(source.values)
    assert replayed(last) == everything(last.core.state)


def check_answers(last: Served, asked: list[tuple[Served, int, str]]) -> None:
    """Every command was answered, is in the log at most once, and exactly once at the token it was told."""
    places: dict[str, list[str]] = {}
    for offset, frame in zip((offset for offset, _ in last.valid()), last.frames(), strict=True):
        index = 0
        for entry in frame.entries:
            places.setdefault(entry.command_id, []).append(f"{JOURNAL}.0.{offset}.{index}")
            index += len(entry.events) or 1
    for owner, ticket, command_id in asked:
        assert owner.is_answered(ticket), command_id
        outcome = owner.outcome(ticket)
        if isinstance(outcome, CommandAccepted):
            assert places[command_id] == [outcome.token]
        else:
            assert not isinstance(outcome, CommandRejected), outcome
            assert len(places.get(command_id, [])) <= (outcome.code == "outcome_unknown")


def test_a_report_that_is_an_error_of_another_kind_than_append_failed_fails_the_frame_too(served: Served) -> None:
    (ticket,) = pend(served)
    flight: Flight = served.journal.in_flight()[0]
    served.journal.lose(flight)
    flight.report(OSError("the cable"))
    served.settle()
    assert code(served.outcome(ticket)) == "accepted"
    assert isinstance(AppendFailed("x"), Exception)


def test_an_evolve_changed_meanwhile_stops_the_shard_at_its_next_recovery(served: Served) -> None:
    """Live it is `internal_error`; in a replay after a failure the same code and journal do not agree any more."""
    served.send("a:1", Note(text="x"))
    heir = served.restarted().serve()
    heir.send("a:1", Note(text="y"), command_id="y")
    Faulty.evolve_raises = "y"
    pend(served)
    with pytest.raises(Exception, match="offset 3: account/a:1 version 2"):
        served.settle()


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


# -- reading -----------------------------------------------------------------------------------------------------------
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


# -- sends -------------------------------------------------------------------------------------------------------------
class Carried(SendsSource):
    """Sends of one source shard, offered as long as they are not received."""

    def __init__(self, count: int) -> None:
        previous = [None, *((1, 1, number) for number in range(count - 1))]
        self.values = [
            (
                (1, 1, number),
                value("a:1", Deposit(amount=1), command_id=f"s-{number}", origin=origin((1, 1, number), before)),
            )
            for number, before in enumerate(previous)
        ]

    def waiting(self, target: int, received: Mapping[int, At], limit: int) -> Sequence[bytes]:
        last = received.get(1, (-1, 0, 0))
        return [found for at, found in self.values if at > last][:limit]


def test_sends_are_pulled_and_taken_once_whatever_fails_and_whoever_takes_over() -> None:
    sends = Carried(500)
    served = Served(sends=sends)
    network = Faults(served.journal, Random(7), 0.4)
    for _ in range(400):
        served.shard.step()
        network.step()
        served.world.wait(20)
    heir = served.restarted(sends=sends)
    heir.settle()
    assert heir.state("a:1").balance == 500
    assert heir.shard.received == {1: (1, 1, 499)}
    assert heir.shard.step() is False


def test_a_send_that_no_frame_can_have_held_stops_the_shard_and_is_not_passed_over() -> None:
    sends = Carried(1)
    sends.values = [((1, 1, 0), b"[]")]
    served = Served(sends=sends)
    with pytest.raises(ValueError, match="a relay brought"):
        served.settle()


# -- assignment and passing faults -------------------------------------------------------------------------------------
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


def test_a_passing_fault_of_the_journal_is_backed_off_from(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    (ticket,) = pend(served)
    (flight,) = served.journal.in_flight()
    served.journal.lose(flight)
    served.journal.fail(flight)
    served.step()
    writer = served.journal.writer

    def locked_once(shard: int) -> Writer:
        monkeypatch.setattr(served.journal, "writer", writer)
        raise AppendFailed("the database is locked")

    monkeypatch.setattr(served.journal, "writer", locked_once)
    served.settle()
    assert served.shard.mode is Mode.SERVING
    assert code(served.outcome(ticket)) in ("accepted", "outcome_unknown")
    assert code(served.send("a:1", Deposit(amount=1))) == "accepted"


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

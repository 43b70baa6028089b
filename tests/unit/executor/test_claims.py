"""Claims that are lost, late, or made too often: rules T2 and T3 as executors hold them."""

from __future__ import annotations

from shardlog import CommandAccepted
from shardlog.adapters.memory.faulty import FaultyJournal
from shardlog.executor.mode import Mode
from tests.unit.executor.ledger import Deposit
from tests.unit.executor.pending import claims
from tests.unit.executor.served import HandWorld, Served


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

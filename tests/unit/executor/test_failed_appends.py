"""Appends that fail, land late, or are never reported: rules F1-F3 and T2 as executors hold them."""

from __future__ import annotations

import pytest

from shardlog import CommandAccepted
from shardlog.adapters.memory.faulty import Flight
from shardlog.errors import AppendFailed
from shardlog.executor.mode import Mode
from shardlog.ports.journal import Writer
from tests.unit.executor.ledger import Deposit, Draw, Faulty, Note
from tests.unit.executor.pending import claims, code, pend
from tests.unit.executor.served import JOURNAL, Served, everything, replayed


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

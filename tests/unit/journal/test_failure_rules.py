"""The writer's rules of failure and fencing (F), and what it stops on, on an unkind network."""

from __future__ import annotations

import pytest

from shardlog.adapters.memory.faulty import FaultyJournal
from shardlog.errors import Corrupt, Diverged, UnknownFormat
from shardlog.journal.effects import Failed, Fenced, Passed
from shardlog.journal.states import ProtocolMisuse, State
from tests.unit.journal.driven_shard import Owning, body, claim, frame, settled


def test_f1_an_error_report_ends_building_though_the_frame_landed(journal: FaultyJournal, owner: Owning) -> None:
    _, flight = owner.append("a")
    journal.land(flight)
    journal.fail(flight)
    (effect,) = owner.take_reports()
    assert isinstance(effect, Failed)
    assert "frame 1 of epoch 1" in effect.reason
    with pytest.raises(ProtocolMisuse):
        owner.append("b")


def test_f1_the_writers_own_deadline_ends_building(owner: Owning) -> None:
    assert owner.writer.deadline_passed() == Passed()  # nothing is pending
    owner.append("a")
    assert isinstance(owner.writer.deadline_passed(), Failed)
    assert owner.writer.state is State.FAILED


def test_f1_reports_after_a_failure_acknowledge_nothing(journal: FaultyJournal, owner: Owning) -> None:
    first, second = (owner.append(name)[1] for name in "ab")
    journal.fail(second)
    owner.take_reports()
    journal.deliver(first)
    assert owner.take_reports() == [Passed()]
    assert owner.acknowledged == []


def test_f1_pending_frames_are_handed_out_as_unknown(owner: Owning) -> None:
    built = [owner.append(name)[0] for name in "ab"]
    owner.writer.fail("the producer is dead")
    assert owner.writer.reason == "the producer is dead"
    assert owner.writer.abandoned() == tuple(built)
    assert owner.writer.pending == ()


def test_f1_nothing_is_read_between_failure_and_abandonment(journal: FaultyJournal, owner: Owning) -> None:
    owner.writer.fail("x")
    with pytest.raises(ProtocolMisuse, match="abandoned"):
        owner.writer.read(1, b"x")


def test_f2_the_next_claim_settles_a_frame_that_landed(journal: FaultyJournal, owner: Owning) -> None:
    _, flight = owner.append("a")
    journal.land(flight)
    journal.fail(flight)
    owner.take_reports()
    owner.writer.abandoned()
    owner.take_over()
    assert owner.replayed == [body("a")]
    assert owner.writer.reader.epoch == 2


def test_f2_the_next_claim_settles_a_frame_that_did_not_land_though_it_lands_later(
    journal: FaultyJournal, owner: Owning
) -> None:
    _, flight = owner.append("a")
    journal.fail(flight)
    owner.take_reports()
    owner.writer.abandoned()
    owner.take_over()
    assert owner.replayed == []
    journal.land(flight)
    assert owner.read() == [Passed()]
    _, again = owner.append("a again")
    journal.deliver(again)
    owner.take_reports()
    assert owner.acknowledged == [(again.value, 3)]


def test_f2_a_claim_comes_before_any_other_frame(owner: Owning) -> None:
    owner.append("a")
    owner.writer.fail("x")
    owner.writer.abandoned()
    with pytest.raises(ProtocolMisuse, match="replaying"):
        owner.append("b")


def test_f2_a_gap_never_becomes_valid(journal: FaultyJournal, owner: Owning) -> None:
    flights = [owner.append(name)[1] for name in "abc"]
    journal.land(flights[0])
    journal.lose(flights[1])
    journal.land(flights[2])
    flights[2].report(2)
    owner.take_reports()
    assert isinstance(owner.read_back(), Failed)
    owner.writer.abandoned()
    owner.take_over()
    assert settled(journal).epoch == 2
    assert owner.acknowledged == [(flights[0].value, 1)]


def test_f4_a_valid_claim_of_another_fences(journal: FaultyJournal, owner: Owning) -> None:
    owner.append("a")
    Owning(journal, 2).take_over()
    assert owner.read() == [Fenced(2)]
    assert owner.writer.state is State.FENCED
    assert len(owner.writer.abandoned()) == 1
    owner.take_over()
    assert owner.writer.reader.epoch == 3


@pytest.mark.parametrize("epoch", [1, 3, 9])
def test_f4_an_invalid_claim_of_another_does_not_fence(journal: FaultyJournal, owner: Owning, epoch: int) -> None:
    journal.write(0, claim(epoch, 9))
    assert owner.read() == [Passed()]
    assert owner.writer.state is State.SERVING


def test_f4_a_losers_late_claim_among_the_winners_frames_does_not_depose_it(journal: FaultyJournal) -> None:
    winner, loser = Owning(journal, 1), Owning(journal, 2)
    late = loser.claim()
    winner.take_over()
    winner.append("a")
    journal.deliver(journal.in_flight()[-1])
    journal.land(late)
    winner.append("b")
    journal.deliver(journal.in_flight()[-1])
    winner.take_reports()
    assert winner.read_back() == Passed()
    assert [offset for _, offset in winner.acknowledged] == [1, 3]


def test_f4_a_frame_of_this_epoch_that_it_did_not_build_fences_and_is_replayed_later(
    journal: FaultyJournal, owner: Owning
) -> None:
    intruder = frame(owner.writer.reader.state, "intruder")
    _, flight = owner.append("a")
    journal.write(0, intruder)
    journal.deliver(flight)
    owner.take_reports()
    assert owner.read() == [Fenced(1)]
    assert owner.writer.reader.position == 1  # it is not passed before it is applied
    owner.writer.abandoned()
    with pytest.raises(ProtocolMisuse, match="offset 1"):
        owner.writer.read(2, flight.value)
    owner.take_over()
    assert owner.replayed == [body("intruder")]


def test_r6_a_writer_that_reads_diverged_history_stops(journal: FaultyJournal, owner: Owning) -> None:
    journal.write(0, frame(owner.writer.reader.state, prev="ab" * 32))
    with pytest.raises(Diverged):
        owner.read()
    assert owner.writer.state is State.FAILED


def test_r4_a_writer_that_reads_another_format_stops(journal: FaultyJournal, owner: Owning) -> None:
    journal.write(0, b'["shardlog",2,"frame"]')
    with pytest.raises(UnknownFormat):
        owner.read()
    assert owner.writer.state is State.FAILED


def test_a_torn_record_is_never_replayed(journal: FaultyJournal, owner: Owning) -> None:
    _, flight = owner.append("a")
    journal.deliver(flight)
    journal.tear(0, 1)
    late = Owning(journal, 2)
    with pytest.raises(Corrupt) as caught:
        late.read()
    assert (caught.value.shard, caught.value.offset) == (0, 1)
    assert late.replayed == []

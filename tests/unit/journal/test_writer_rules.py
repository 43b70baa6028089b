"""The writer's rules: takeover (T), append (A), acknowledgement (K), failure and fencing (F), on an unkind network."""

from __future__ import annotations

import pytest

from shardlog.adapters.memory.faulty import FaultyJournal
from shardlog.errors import AppendFailed, Corrupt, Diverged, UnknownFormat
from shardlog.journal.effects import (
    Acknowledged,
    ClaimLost,
    Failed,
    Fenced,
    Owner,
    Passed,
    ReadBack,
    Replay,
)
from shardlog.journal.envelope import ENVELOPE_BYTES_MAX
from shardlog.journal.reader import Reader, ReaderState
from shardlog.journal.states import TRANSITIONS, ProtocolMisuse, State, Step, after
from shardlog.journal.writer import JournalWriter
from tests.unit.journal.driven_shard import Owning, body, claim, frame, nonce, reader_at


@pytest.fixture
def journal() -> FaultyJournal:
    return FaultyJournal(4)


@pytest.fixture
def owner(journal: FaultyJournal) -> Owning:
    """An owner that serves: its claim stands at offset 0."""
    owning = Owning(journal)
    owning.take_over()
    return owning


def settled(journal: FaultyJournal) -> Reader:
    """A reader of the whole log."""
    return reader_at(*(value for _, value in journal.read(0, 0)))


# -- takeover ----------------------------------------------------------------------------------------------------------
def test_t1_the_claim_is_for_the_epoch_after_the_one_read(journal: FaultyJournal) -> None:
    journal.write(0, claim(1, 5))
    owning = Owning(journal)
    owning.read()
    assert b',2,"%b",0,"",' % nonce(1).encode() in owning.claim().value


def test_t1_a_claim_made_on_a_stale_end_loses(journal: FaultyJournal) -> None:
    owning = Owning(journal)  # it saw an empty log
    flight = owning.claim()
    journal.write(0, claim(1, 5))
    journal.land(flight)
    assert owning.read() == [ClaimLost(1)]


def test_t2_an_owner_is_one_whose_claim_comes_by_and_is_valid(journal: FaultyJournal) -> None:
    owning = Owning(journal)
    journal.land(owning.claim())
    assert owning.read() == [Owner(1)]
    assert owning.writer.state is State.SERVING


@pytest.mark.parametrize("report", [0, 17, None, AppendFailed("it may have landed")])
def test_t2_a_report_of_the_claim_is_no_verdict(journal: FaultyJournal, report: int | Exception | None) -> None:
    owning = Owning(journal)
    flight = owning.claim()
    assert owning.writer.claim_reported(report) == Passed()
    assert owning.writer.state is State.CLAIMING
    journal.land(flight)
    assert owning.read() == [Owner(1)]


def test_t2_only_an_error_before_sending_ends_a_claim_early(journal: FaultyJournal) -> None:
    owning = Owning(journal)
    owning.claim()
    assert isinstance(owning.writer.claim_reported(OSError("no such network")), Failed)


def test_t2_frames_of_the_last_owner_before_the_own_claim_are_replayed(journal: FaultyJournal, owner: Owning) -> None:
    successor = Owning(journal, 2)
    successor.read()
    flight = successor.claim()
    _, late = owner.append("late")
    journal.land(late)
    journal.land(flight)
    assert [type(effect) for effect in successor.read()] == [Replay, Owner]
    assert successor.replayed == [body("late")]


def test_t2_frames_of_a_killed_writer_that_land_after_the_own_claim_do_not_count(
    journal: FaultyJournal, owner: Owning
) -> None:
    _, ghost = owner.append("ghost")
    successor = Owning(journal, 2)
    successor.take_over()
    journal.land(ghost)
    assert successor.read() == [Passed()]
    assert successor.writer.state is State.SERVING


def test_t2_a_claim_is_known_by_its_nonce_alone(journal: FaultyJournal) -> None:
    owning = Owning(journal)
    flight = owning.claim()
    same_name_and_epoch = flight.value.replace(nonce(1).encode(), nonce(99).encode())
    journal.write(0, same_name_and_epoch)
    journal.land(flight)
    assert owning.read() == [ClaimLost(1)]


def test_t2_a_claim_that_lands_twice_makes_one_owner(journal: FaultyJournal) -> None:
    owning = Owning(journal)
    flight = owning.claim()
    journal.land(flight, may_land_again=True)
    journal.land(flight)
    assert owning.read() == [Owner(1), Passed()]
    assert owning.writer.state is State.SERVING


def test_t3_a_claim_that_came_second_is_lost_and_another_may_be_made(journal: FaultyJournal) -> None:
    first, second = Owning(journal, 1), Owning(journal, 2)
    one, two = first.claim(), second.claim()
    journal.land(two)
    journal.land(one)
    assert second.read()[0] == Owner(1)
    assert first.read() == [ClaimLost(1)]
    first.writer.abandoned()
    first.take_over()
    assert first.writer.reader.epoch == 2


def test_t3_a_claim_not_seen_by_the_deadline_is_given_up(journal: FaultyJournal) -> None:
    owning = Owning(journal)
    ghost = owning.claim()
    assert isinstance(owning.writer.deadline_passed(), Failed)
    assert owning.writer.abandoned() == ()
    journal.land(owning.claim())
    assert owning.read() == [Owner(1)]
    journal.land(ghost)
    assert owning.read() == [Passed()]  # the one given up comes late and counts for nothing


def test_t3_a_ghost_of_an_own_claim_that_lands_first_leaves_nobody_owner(journal: FaultyJournal) -> None:
    owning = Owning(journal)
    ghost = owning.claim()
    owning.writer.deadline_passed()
    owning.writer.abandoned()
    flight = owning.claim()
    journal.land(ghost)
    journal.land(flight)
    assert owning.read() == [ClaimLost(1)]
    owning.writer.abandoned()
    owning.take_over()
    assert owning.writer.reader.epoch == 2


def test_t4_after_a_takeover_the_reader_stands_behind_the_own_claim(journal: FaultyJournal, owner: Owning) -> None:
    assert owner.writer.reader.state == settled(journal).state


# -- append ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("state", [s for s in State if s is not State.SERVING])
def test_a2_no_frame_is_built_unless_the_shard_is_served(state: State) -> None:
    writer = JournalWriter(reader_at())
    writer.state = state
    assert not writer.can_build
    with pytest.raises(ProtocolMisuse, match=state.value):
        writer.frame(body("a"))


def test_a2_frames_follow_each_other_on_the_speculative_head(owner: Owning) -> None:
    built = [owner.append(name)[0] for name in "abc"]
    assert [frame.seq for frame in built] == [1, 2, 3]
    assert built[0].prev == owner.writer.reader.head
    assert [frame.prev for frame in built[1:]] == [frame.head.hex() for frame in built[:2]]
    assert owner.writer.reader.seq == 0  # the acknowledged state has not moved
    assert owner.writer.next_seq == 4


def test_a2_at_most_so_many_frames_are_pending(owner: Owning) -> None:
    for name in "abcd":
        owner.append(name)
    assert not owner.writer.can_build
    with pytest.raises(ProtocolMisuse, match="4 are allowed"):
        owner.append("e")


@pytest.mark.parametrize("broken", [b"", b"{}", b"[", b"null"])
def test_a_body_that_is_no_array_becomes_no_frame(owner: Owning, broken: bytes) -> None:
    with pytest.raises(ProtocolMisuse, match="array"):
        owner.writer.frame(broken)
    assert owner.writer.pending == ()


def test_an_envelope_is_never_larger_than_said(owner: Owning) -> None:
    built, _ = owner.append("a")
    assert len(built.value) - len(body("a")) <= ENVELOPE_BYTES_MAX


# -- acknowledgement ---------------------------------------------------------------------------------------------------
def test_k1_a_report_at_the_own_position_acknowledges_the_oldest_without_reading(
    journal: FaultyJournal, owner: Owning
) -> None:
    built, flight = owner.append("a")
    journal.deliver(flight)
    assert owner.take_reports() == [Acknowledged(((built, 1),))]
    assert owner.writer.reader.state == settled(journal).state


def test_k1_pipelined_frames_are_acknowledged_one_by_one(journal: FaultyJournal, owner: Owning) -> None:
    for name in "abcd":
        owner.append(name)
    journal.deliver_all()
    owner.take_reports()
    assert [offset for _, offset in owner.acknowledged] == [1, 2, 3, 4]
    assert owner.writer.reader.state == settled(journal).state


def test_k1_a_frame_that_landed_where_another_was_expected_is_not_acknowledged(
    journal: FaultyJournal, owner: Owning
) -> None:
    _, first = owner.append("a")
    _, second = owner.append("b")
    journal.lose(first)
    journal.deliver(second)
    assert owner.take_reports() == [ReadBack(1, 1)]
    assert isinstance(owner.read_back(), Failed)
    assert owner.acknowledged == []


def test_k2_after_a_report_at_another_offset_nothing_is_built_until_the_log_was_read(
    journal: FaultyJournal, owner: Owning
) -> None:
    _, flight = owner.append("a")
    journal.write(0, b"somebody else's")
    journal.deliver(flight)
    assert owner.take_reports() == [ReadBack(1, 2)]
    assert owner.writer.is_reading_back
    with pytest.raises(ProtocolMisuse, match="reading back"):
        owner.append("b")
    assert owner.read_back() == Passed()
    assert owner.acknowledged == [(flight.value, 2)]
    assert owner.writer.can_build


def test_k2_a_frame_is_acknowledged_where_it_is_read_and_not_where_it_was_reported(
    journal: FaultyJournal, owner: Owning
) -> None:
    _, flight = owner.append("a")
    journal.land(flight)
    flight.report(7)
    assert owner.take_reports() == [ReadBack(1, 7)]
    assert owner.read_back() == Passed()
    assert owner.acknowledged == [(flight.value, 1)]


def test_k2_a_frame_that_landed_twice_is_acknowledged_at_its_first_place(journal: FaultyJournal, owner: Owning) -> None:
    flights = [owner.append(name)[1] for name in "abc"]
    journal.land(flights[0])
    journal.land(flights[1], may_land_again=True)
    journal.land(flights[1])
    journal.land(flights[2])
    flights[0].report(1)
    flights[1].report(3)  # the second place
    flights[2].report(4)
    effects = owner.take_reports()
    assert effects[1:] == [ReadBack(2, 3), ReadBack(2, 4)]
    assert owner.read_back() == Passed()
    assert [offset for _, offset in owner.acknowledged] == [1, 2, 4]


def test_k2_a_report_without_offset_is_settled_by_reading_until_the_record_is_seen(
    journal: FaultyJournal, owner: Owning
) -> None:
    _, flight = owner.append("a")
    flight.report(None)
    assert owner.take_reports() == [ReadBack(1, None)]
    assert owner.read_back() == ReadBack(1, None)  # not there yet
    journal.land(flight)
    assert owner.read_back() == Passed()
    assert owner.acknowledged == [(flight.value, 1)]


def test_k2_reports_out_of_order_are_settled_by_reading(journal: FaultyJournal, owner: Owning) -> None:
    flights = [owner.append(name)[1] for name in "ab"]
    for flight in flights:
        journal.land(flight)
    flights[1].report(2)
    flights[0].report(1)
    assert owner.take_reports()[0] == ReadBack(1, 2)
    assert owner.read_back() == Passed()
    assert [offset for _, offset in owner.acknowledged] == [1, 2]


def test_k2_a_report_for_an_offset_already_passed_asks_for_reading_until_it_is_seen(
    journal: FaultyJournal, owner: Owning
) -> None:
    flights = [owner.append(name)[1] for name in "ab"]
    journal.deliver(flights[0])
    owner.take_reports()
    flights[1].report(0)
    assert owner.take_reports() == [ReadBack(2, None)]
    assert owner.read_back() == ReadBack(2, None)
    journal.land(flights[1])
    assert owner.read_back() == Passed()


def test_k2_reading_that_does_not_reach_the_offset_reported_is_repeated(journal: FaultyJournal, owner: Owning) -> None:
    _, flight = owner.append("a")
    flight.report(2)
    owner.take_reports()
    journal.write(0, b"x")
    assert owner.read_back() == ReadBack(2, 2)
    journal.land(flight)
    assert owner.read_back() == Passed()


def test_k2_a_pending_frame_that_stands_invalid_without_a_valid_copy_fails(
    journal: FaultyJournal, owner: Owning
) -> None:
    first, second = (owner.append(name)[1] for name in "ab")
    journal.land(second)
    journal.land(first)
    second.report(1)
    owner.take_reports()
    assert isinstance(owner.read_back(), Failed)
    assert owner.acknowledged == [(first.value, 2)]


def test_k2_a_pending_frame_that_stands_invalid_and_again_valid_counts(journal: FaultyJournal, owner: Owning) -> None:
    first, second = (owner.append(name)[1] for name in "ab")
    journal.land(second, may_land_again=True)
    journal.land(first)
    journal.land(second)
    second.report(3)
    owner.take_reports()
    assert owner.read_back() == Passed()
    assert owner.acknowledged == [(first.value, 2), (second.value, 3)]


def test_k2_a_valid_record_that_is_not_mine_fences(journal: FaultyJournal, owner: Owning) -> None:
    _, flight = owner.append("a")
    journal.write(0, claim(2, 9))
    journal.deliver(flight)
    owner.take_reports()
    assert owner.read() == [Fenced(2)]


def test_k2_records_passed_while_serving_may_come_again(journal: FaultyJournal, owner: Owning) -> None:
    flights = [owner.append(name)[1] for name in "ab"]
    for flight in flights:
        journal.land(flight)
    flights[1].report(2)
    owner.take_reports()
    records = list(journal.read(0, owner.writer.reader.position))
    assert [type(owner.writer.read(*record)) for record in records] == [Acknowledged, Acknowledged]
    assert [owner.writer.read(*record) for record in records] == [Passed(), Passed()]
    assert owner.writer.read_back_ended() == Passed()


def test_k2_while_reading_back_a_report_acknowledges_nothing_by_itself(journal: FaultyJournal, owner: Owning) -> None:
    flights = [owner.append(name)[1] for name in "ab"]
    for flight in flights:
        journal.land(flight)
    flights[1].report(2)
    flights[0].report(1)
    assert owner.take_reports() == [ReadBack(1, 2), ReadBack(1, 2)]
    assert owner.acknowledged == []


def test_k2_a_frame_that_was_seen_invalid_is_acknowledged_by_reading_alone(
    journal: FaultyJournal, owner: Owning
) -> None:
    first, second = (owner.append(name)[1] for name in "ab")
    journal.land(second)
    journal.land(first)
    owner.read()  # without being asked: the second stands at 1, where it does not count
    second.report(3)  # and no copy of it at 3
    assert owner.take_reports() == [ReadBack(3, 3)]
    assert owner.acknowledged == [(first.value, 2)]


def test_k2_a_report_that_comes_again_is_passed_over(journal: FaultyJournal, owner: Owning) -> None:
    _, flight = owner.append("a")
    journal.deliver(flight)
    flight.report(1)
    flight.report(5)
    flight.report(AppendFailed("late"))
    assert owner.take_reports()[1:] == [Passed()] * 3
    assert owner.writer.can_build


def test_k3_the_reader_of_a_writer_is_never_ahead_of_what_was_acknowledged(
    journal: FaultyJournal, owner: Owning
) -> None:
    before = owner.writer.reader.state
    for name in "abc":
        owner.append(name)
    assert owner.writer.reader.state == before
    journal.deliver(journal.in_flight()[0])
    owner.take_reports()
    assert owner.writer.reader.state == settled(journal).state


# -- failure -----------------------------------------------------------------------------------------------------------
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


# -- the table ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("step", Step)
def test_a_step_that_the_table_does_not_hold_is_refused(state: State, step: Step) -> None:
    if (state, step) in TRANSITIONS:
        assert after(state, step) is TRANSITIONS[state, step]
    else:
        with pytest.raises(ProtocolMisuse, match=state.value):
            after(state, step)


def test_from_every_state_a_writer_can_fail_and_claim_again() -> None:
    for state in State:
        failed = after(state, Step.FAIL)
        assert after(after(failed, Step.ABANDON), Step.CLAIM) is State.CLAIMING


def test_a_writer_goes_on_from_a_stored_state(journal: FaultyJournal, owner: Owning) -> None:
    _, flight = owner.append("a")
    journal.deliver(flight)
    owner.take_reports()
    stored: ReaderState = owner.writer.reader.state
    successor = Owning(journal, 2)
    successor.writer = JournalWriter(Reader.from_state(stored))
    successor.take_over()
    assert successor.replayed == []
    assert successor.writer.reader.epoch == 2


def test_pending_max_is_at_least_one() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        JournalWriter(reader_at(), pending_max=0)

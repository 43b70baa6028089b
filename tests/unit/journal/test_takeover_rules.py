"""The writer's rules of takeover (T) and append (A), on an unkind network."""

from __future__ import annotations

import pytest

from shardlog.adapters.memory.faulty import FaultyJournal
from shardlog.errors import AppendFailed
from shardlog.journal.effects import ClaimLost, Failed, Owner, Passed, Replay
from shardlog.journal.envelope import ENVELOPE_BYTES_MAX
from shardlog.journal.reader import Reader, ReaderState
from shardlog.journal.states import ProtocolMisuse, State
from shardlog.journal.writer import JournalWriter
from tests.unit.journal.driven_shard import Owning, body, claim, nonce, reader_at, settled


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

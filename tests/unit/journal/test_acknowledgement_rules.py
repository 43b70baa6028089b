"""The writer's rules of acknowledgement (K), on an unkind network."""

from __future__ import annotations

import pytest

from shardlog.adapters.memory.faulty import FaultyJournal
from shardlog.errors import AppendFailed
from shardlog.journal.effects import Acknowledged, Failed, Fenced, Passed, ReadBack
from shardlog.journal.states import ProtocolMisuse
from tests.unit.journal.driven_shard import Owning, claim, settled


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

"""Rows of the real data, and what is made of them."""

from __future__ import annotations

from datetime import datetime

import pytest

from domain.flights.dataset import airport_zones, data_folder
from domain.flights.sequence import ARRIVE, CANCEL, DEPART, DIVERT, SCHEDULE, steps_of
from domain.flights.source import HEADER, FactsBroken, FlightFacts, facts_of, read_flights

ZONES = airport_zones(data_folder())

ON_TIME = "2013,1,1,517,515,2,830,819,11,UA,1545,N14228,EWR,IAH,227,1400,5,15,2013-01-01T10:00:00Z"
IN_THE_GAP = "2013,3,9,2306,2145,81,203,34,89,B6,35,N658JB,JFK,PBI,141,1028,21,45,2013-03-10T02:00:00Z"
SPRING_NIGHT = "2013,3,10,153,2253,180,302,14,168,B6,112,N509JB,JFK,BUF,53,301,22,53,2013-03-11T02:00:00Z"
CANCELLED = "2013,1,1,NA,1630,NA,NA,1815,NA,EV,4308,N18120,EWR,RDU,NA,416,16,30,2013-01-01T21:00:00Z"
DIVERTED = "2013,1,1,1525,1530,-5,1934,1805,NA,MQ,4525,N719MQ,LGA,XNA,NA,1147,15,30,2013-01-01T20:00:00Z"


def facts(line: str, **changes: str) -> FlightFacts:
    row = dict(zip(HEADER.split(","), line.split(","), strict=True)) | changes
    return facts_of(list(row.values()), ZONES)


def utc(text: str) -> int:
    return int(datetime.fromisoformat(f"{text}Z").timestamp()) // 60


def test_a_row_becomes_a_flight_with_instants_in_utc() -> None:
    flight = facts(ON_TIME)
    assert flight == FlightFacts(
        id="2013-01-01-UA-1545-EWR", carrier="UA", number=1545, tail="N14228", origin="EWR", destination="IAH",
        month=1, hour=5, distance=1400,
        scheduled_departure=utc("2013-01-01 10:15"), scheduled_arrival=utc("2013-01-01 14:19"),
        departure=utc("2013-01-01 10:17"), departure_delay=2,
        arrival=utc("2013-01-01 14:30"), arrival_delay=11, air_time=227,
    )  # fmt: skip
    assert not flight.diverted


def test_an_arrival_at_a_time_that_clocks_skipped_is_right_in_utc() -> None:
    assert facts(IN_THE_GAP).arrival == utc("2013-03-10 07:03")


def test_a_night_in_which_clocks_change_is_an_hour_shorter() -> None:
    assert facts(SPRING_NIGHT).scheduled_arrival == utc("2013-03-11 04:14")


def test_a_departure_is_dated_by_its_delay_and_not_by_its_clock_time() -> None:
    late = facts(ON_TIME, dep_time="647", dep_delay="1301", arr_delay="1290", air_time="200")
    assert late.departure == utc("2013-01-02 07:56")


def test_a_scheduled_arrival_at_2400_ends_the_day() -> None:
    late = facts(CANCELLED, sched_arr_time="2400", hour="22", minute="0", time_hour="2013-01-02T03:00:00Z")
    assert late.scheduled_arrival == utc("2013-01-02 05:00")


@pytest.mark.parametrize(
    ("airport", "block"), [("SJU", 180), ("BQN", 180), ("STT", 180), ("PSE", 180), ("PHX", 360), ("HNL", 540)]
)
def test_airports_without_daylight_saving_keep_their_offset_in_summer(airport: str, block: int) -> None:
    summer = facts(CANCELLED, month="7", dest=airport, sched_arr_time="1930", time_hour="2013-07-01T20:00:00Z")
    assert summer.scheduled_arrival - summer.scheduled_departure == block


def test_a_cancelled_flight_never_departs_and_may_lack_a_tail() -> None:
    flight = facts(CANCELLED, tailnum="NA")
    assert (flight.departure, flight.arrival, flight.tail, flight.diverted) == (None, None, None, False)


def test_a_diverted_flight_arrives_when_the_clock_there_first_shows_it() -> None:
    flight = facts(DIVERTED)
    assert flight.diverted
    assert (flight.departure, flight.arrival) == (utc("2013-01-01 20:25"), utc("2013-01-02 01:34"))
    assert (flight.arrival_delay, flight.air_time) == (None, None)


def test_a_diverted_flight_may_never_arrive() -> None:
    assert facts(DIVERTED, arr_time="NA").arrival is None


def test_a_row_that_breaks_a_promise_is_refused_by_name() -> None:
    with pytest.raises(FactsBroken, match="2013-01-01-UA-1545-EWR spent 250 minutes on the ground, expected 5 to 235"):
        facts(ON_TIME, air_time="3")
    with pytest.raises(FactsBroken, match="scheduled for 1 minutes, expected 50 to 700"):
        facts(ON_TIME, sched_arr_time="416")
    with pytest.raises(FactsBroken, match="departed and has no tail number"):
        facts(ON_TIME, tailnum="NA")


def test_a_flight_becomes_commands_to_it_and_to_its_aircraft() -> None:
    assert steps_of(facts(ON_TIME)) == [
        (utc("2012-12-31 10:15"), SCHEDULE, False),
        (utc("2013-01-01 10:17"), DEPART, True),
        (utc("2013-01-01 14:30"), ARRIVE, True),
    ]


def test_a_cancelled_flight_is_cancelled_at_its_scheduled_departure() -> None:
    assert steps_of(facts(CANCELLED))[1:] == [(utc("2013-01-01 21:30"), CANCEL, False)]


def test_a_diversion_is_half_way_and_the_later_arrival_is_not_the_aircrafts() -> None:
    assert steps_of(facts(DIVERTED))[1:] == [
        (utc("2013-01-01 20:25"), DEPART, True),
        (utc("2013-01-01 20:25") + (24 * 60 + 5 - 20 * 60 - 30) // 2, DIVERT, True),
        (utc("2013-01-02 01:34"), ARRIVE, False),
    ]
    assert len(steps_of(facts(DIVERTED, arr_time="NA"))) == 3


def test_months_are_counted_from_january() -> None:
    flights = list(read_flights(1))
    assert len(flights) == 27_004
    assert {flight.month for flight in flights} == {1}
    assert len({flight.id for flight in flights}) == len(flights)
    with pytest.raises(ValueError, match="months is 13"):
        next(read_flights(13))

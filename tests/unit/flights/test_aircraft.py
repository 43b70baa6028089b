"""Where an aircraft can be, and what it cannot have done."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from domain.flights import aircraft
from domain.flights.aircraft import (
    Aircraft,
    AircraftArrived,
    AircraftDeparted,
    AircraftDiverted,
    ArriveAircraft,
    DepartAircraft,
    DivertAircraft,
    FerryInferred,
    earliest_return,
)
from shardlog.testing.kit import explore, given

TEN = datetime(2013, 1, 1, 10, 17, tzinfo=UTC)
NOON = datetime(2013, 1, 1, 14, 30, tzinfo=UTC)
OUT, NEXT = "2013-01-01-UA-1545-EWR", "2013-01-01-UA-1714-LGA"


def depart(at: datetime, flight: str = NEXT) -> DepartAircraft:
    return DepartAircraft(at=at, flight=flight, origin="LGA", destination="MIA")


DEPARTED = AircraftDeparted(at=TEN, flight=OUT, origin="EWR", destination="IAH")
ARRIVED = AircraftArrived(
    at=NOON, flight=OUT, origin="EWR", destination="IAH", air_time_min=227, distance_miles=1401
)  # fmt: skip
DIVERTED = AircraftDiverted(flight=OUT, origin="EWR", destination="IAH")
ARRIVE = ArriveAircraft(at=NOON, flight=OUT, origin="EWR", destination="IAH", air_time_min=227, distance_miles=1401)
DIVERT = DivertAircraft(flight=OUT, origin="EWR", destination="IAH")


def test_the_first_sighting_is_a_departure() -> None:
    given(aircraft).when(DepartAircraft(at=TEN, flight=OUT, origin="EWR", destination="IAH")).then(DEPARTED).then_state(
        Aircraft(flight=OUT)
    )


def test_an_airborne_aircraft_does_not_depart() -> None:
    given(aircraft, DEPARTED).when(depart(NOON)).then_rejected("aircraft_airborne", f"airborne on {OUT}")


def test_a_refused_departure_leaves_the_aircraft_on_its_flight() -> None:
    given(aircraft, DEPARTED).when(depart(NOON)).then_rejected("aircraft_airborne").when(ARRIVE).then(
        ARRIVED
    ).then_state(Aircraft(airport="IAH", since=NOON, distance_miles=1401))


@pytest.mark.parametrize(("miles", "minutes"), [(1, 61), (10, 61), (11, 62), (1400, 200), (1401, 201)])
def test_the_way_back_is_a_minute_for_ten_miles_begun_and_an_hour(miles: int, minutes: int) -> None:
    assert earliest_return(NOON, miles) == NOON + timedelta(minutes=minutes)


def test_an_aircraft_that_had_the_time_flew_back_unseen() -> None:
    at = NOON + timedelta(minutes=201)
    given(aircraft, DEPARTED, ARRIVED).when(depart(at)).then(
        FerryInferred(origin="IAH", destination="LGA"),
        AircraftDeparted(at=at, flight=NEXT, origin="LGA", destination="MIA"),
    ).then_state(Aircraft(flight=NEXT))


def test_an_aircraft_that_had_a_minute_too_little_cannot_be_back() -> None:
    given(aircraft, DEPARTED, ARRIVED).when(depart(NOON + timedelta(minutes=200))).then_rejected(
        "return_impossible", "before 2013-01-01T17:51Z"
    ).then_state(Aircraft(airport="IAH", since=NOON, distance_miles=1401))


def test_a_diverted_aircraft_is_lost_from_sight_and_may_depart_again_at_once() -> None:
    given(aircraft, DEPARTED).when(DIVERT).then(DIVERTED).then_state(Aircraft()).when(depart(NOON)).then(
        AircraftDeparted(at=NOON, flight=NEXT, origin="LGA", destination="MIA")
    )


@pytest.mark.parametrize("command", [ARRIVE, DIVERT], ids=["arrive", "divert"])
def test_only_an_aircraft_on_the_flight_arrives_or_is_diverted(command: ArriveAircraft | DivertAircraft) -> None:
    other = AircraftDeparted(at=TEN, flight=NEXT, origin="LGA", destination="MIA")
    given(aircraft).when(command).then_rejected("not_on_this_flight", "at an unknown place")
    given(aircraft, other).when(command).then_rejected("not_on_this_flight", f"airborne on {NEXT}")
    given(aircraft, DEPARTED, ARRIVED).when(command).then_rejected("not_on_this_flight", "at IAH")
    given(aircraft, DEPARTED, DIVERTED).when(command).then_rejected("not_on_this_flight")


def test_whatever_comes_an_aircraft_is_in_the_air_or_somewhere_but_not_both() -> None:
    explore(aircraft, invariant=lambda state: state.flight is None or state.airport is None)

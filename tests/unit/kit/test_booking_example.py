"""The kit on flights and aircraft: two aggregates of one routing key, times, and drawn ids."""

from datetime import timedelta

from shardlog.testing.kit import START, explore, given, on, project
from tests.unit.kit.examples.booking import (
    AircraftAssigned,
    AssignAircraft,
    Assigned,
    Book,
    Booked,
    Departure,
    Registered,
    Released,
    Schedule,
    Scheduled,
    SoldOut,
    aircraft,
    departures,
    flight,
)

LH1, PLANE, SPARE = flight.stream("lh:1"), aircraft.stream("lh:d-aima"), aircraft.stream("lh:d-aimb")
SOON = START + timedelta(hours=2)


def test_a_flight_is_not_scheduled_in_the_past() -> None:
    given(flight).when(Schedule(departs=START - timedelta(hours=1))).then_rejected("in_the_past")
    given(flight).when(Schedule(departs=SOON), after=timedelta(hours=3)).then_rejected("in_the_past")


def test_the_same_schedule_twice_is_nothing_new() -> None:
    given(flight, Scheduled(departs=SOON)).when(Schedule(departs=SOON)).then_nothing()


def test_an_aircraft_goes_to_one_flight_and_the_old_one_is_free() -> None:
    (
        given(LH1, Scheduled(departs=SOON), AircraftAssigned(aircraft="lh:d-aima", seats=2))
        .and_given(on(PLANE, Registered(seats=2), Assigned(flight="lh:1")), on(SPARE, Registered(seats=3)))
        .when(AssignAircraft(aircraft="lh:d-aimb"))
        .then_exactly(
            on(PLANE, Released(flight="lh:1")),
            on(SPARE, Assigned(flight="lh:1")),
            on(LH1, AircraftAssigned(aircraft="lh:d-aimb", seats=3)),
        )
    )


def test_the_last_seat_sells_out() -> None:
    (
        given(LH1, Scheduled(departs=SOON), AircraftAssigned(aircraft="lh:d-aima", seats=1))
        .when(Book(passenger="ada"))
        .then_like(Booked(booking="?", passenger="ada"), SoldOut(), but=["booking"])
        .when(Book(passenger="bob"))
        .then_rejected("sold_out")
    )


def test_departures() -> None:
    full = AircraftAssigned(aircraft="lh:d-aima", seats=1)
    project(departures, on(LH1, Scheduled(departs=SOON), full, Booked(booking="1", passenger="ada"))).then_rows(
        Departure(flight="lh:1", departs=SOON, free=0)
    )


def test_whatever_comes() -> None:
    explore(flight, invariant=lambda state: 0 <= state.booked <= state.seats, runs=50)

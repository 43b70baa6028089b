"""What events and refusals add to the flights tables."""

from __future__ import annotations

from datetime import timedelta

from domain.flights import aircraft, flight, flights
from domain.flights.messages import Arrived, Cancel, Departed
from projections.flights import flights as tables
from projections.flights.tables import (
    AircraftUtilisation,
    OnTimeByCarrierMonth,
    OnTimeByOriginHour,
    OnTimeByRoute,
    RejectionCount,
)
from shardlog import Row, replace
from shardlog.testing.kit import Scenario, on, project

from .test_aircraft import ARRIVE, NOON, depart
from .test_aircraft import ARRIVED as AIRCRAFT_ARRIVED
from .test_aircraft import DEPARTED as AIRCRAFT_DEPARTED
from .test_flight import ARRIVED, CANCELLED, DEPARTED, DIVERTED, SCHEDULED

UA, DL = flight.stream("2013-01-01-UA-1545-EWR"), flight.stream("2013-01-01-UA-1-EWR")
PLANE = aircraft.stream("N14228")


def in_all_three(**columns: int) -> tuple[Row, Row, Row]:
    return (
        OnTimeByCarrierMonth(carrier="UA", month=1, **columns),
        OnTimeByRoute(origin="EWR", destination="IAH", **columns),
        OnTimeByOriginHour(origin="EWR", hour=5, **columns),
    )


def test_a_flight_counts_by_carrier_and_month_by_route_and_by_origin_and_hour() -> None:
    project(tables, on(UA, SCHEDULED, DEPARTED, ARRIVED)).then_rows(
        *in_all_three(
            flights=1, departures=1, departure_delay_sum_min=-3, arrivals_on_time_basis=1, arrival_delay_sum_min=11
        )
    )


def test_a_cancelled_flight_is_a_flight_that_did_not_depart() -> None:
    project(tables, on(UA, SCHEDULED, CANCELLED), on(DL, SCHEDULED)).then_rows(*in_all_three(flights=2, cancelled=1))


def test_delayed_is_more_than_fifteen_minutes() -> None:
    def late(minutes: int) -> Departed:
        return replace(DEPARTED, delay_min=minutes)

    project(tables, on(UA, SCHEDULED, late(15)), on(DL, SCHEDULED, late(16))).then_rows(
        *in_all_three(flights=2, departures=2, departures_delayed=1, departure_delay_sum_min=31)
    )


def test_a_diverted_flights_departure_counts_and_its_late_arrival_does_not() -> None:
    late: Arrived = replace(ARRIVED, delay_min=None, air_time_min=None)
    project(tables, on(UA, SCHEDULED, DEPARTED, DIVERTED, late)).then_rows(
        *in_all_three(flights=1, diverted=1, departures=1, departure_delay_sum_min=-3)
    )


def test_an_aircraft_is_used_by_accepted_departures_and_arrivals() -> None:
    project(tables, on(PLANE, AIRCRAFT_DEPARTED, AIRCRAFT_ARRIVED)).then_rows(
        AircraftUtilisation(tail="N14228", flights=1, air_time_min=227, distance_miles=1401)
    )


def test_a_refused_command_counts_for_its_reason_and_its_aircraft() -> None:
    (
        Scenario(flights, projections=[tables])
        .when(PLANE, depart(NOON, "2013-01-01-UA-1545-EWR"))
        .when(PLANE, depart(NOON))
        .when(PLANE, depart(NOON + timedelta(hours=1)))
        .when(aircraft.stream("N2"), ARRIVE)
        .then_rows(
            tables,
            AircraftUtilisation(tail="N14228", flights=1, rejected=2),
            AircraftUtilisation(tail="N2", rejected=1),
            RejectionCount(category="aircraft", reason="aircraft_airborne", count=2),
            RejectionCount(category="aircraft", reason="not_on_this_flight", count=1),
        )
    )


def test_a_refused_flight_counts_for_its_reason_and_no_aircraft() -> None:
    Scenario(flights, projections=[tables]).when(UA, Cancel()).then_rows(
        tables, RejectionCount(category="flight", reason="not_scheduled", count=1)
    )

"""The life of a flight."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from domain.flights import flight
from domain.flights.flight import Flight, Phase
from domain.flights.messages import (
    Arrive,
    Arrived,
    Cancel,
    Cancelled,
    Depart,
    Departed,
    Divert,
    Diverted,
    FlightCommand,
    FlightEvent,
    Schedule,
    Scheduled,
)
from shardlog import replace
from shardlog.testing.kit import explore, given

TEN = datetime(2013, 1, 1, 10, 15, tzinfo=UTC)
NOON = datetime(2013, 1, 1, 14, 19, tzinfo=UTC)

SCHEDULE = Schedule(
    carrier="UA", number=1545, tail="N14228", origin="EWR", destination="IAH", departs_at=TEN, arrives_at=NOON,
    distance_miles=1400, month=1, hour=5,
)  # fmt: skip
SCHEDULED = Scheduled(
    carrier="UA", number=1545, tail="N14228", origin="EWR", destination="IAH", departs_at=TEN, arrives_at=NOON,
    distance_miles=1400, month=1, hour=5,
)  # fmt: skip
DEPART = Depart(at=TEN, delay_min=-3, tail="N24211")
DEPARTED = Departed(carrier="UA", origin="EWR", destination="IAH", month=1, hour=5, at=TEN, delay_min=-3, tail="N24211")
ARRIVE = Arrive(at=NOON, delay_min=11, air_time_min=227, distance_miles=1400)
ARRIVED = Arrived(
    carrier="UA", origin="EWR", destination="IAH", month=1, hour=5, at=NOON, delay_min=11, air_time_min=227,
    distance_miles=1400,
)  # fmt: skip
CANCELLED = Cancelled(carrier="UA", origin="EWR", destination="IAH", month=1, hour=5)
DIVERTED = Diverted(carrier="UA", origin="EWR", destination="IAH", month=1, hour=5)

PASTS: dict[Phase, tuple[FlightEvent, ...]] = {
    Phase.UNKNOWN: (),
    Phase.SCHEDULED: (SCHEDULED,),
    Phase.DEPARTED: (SCHEDULED, DEPARTED),
    Phase.DIVERTED: (SCHEDULED, DEPARTED, DIVERTED),
    Phase.ARRIVED: (SCHEDULED, DEPARTED, ARRIVED),
    Phase.CANCELLED: (SCHEDULED, CANCELLED),
}
RULES: list[tuple[FlightCommand, set[Phase], str]] = [
    (SCHEDULE, {Phase.UNKNOWN}, "already_scheduled"),
    (DEPART, {Phase.SCHEDULED}, "not_scheduled"),
    (CANCEL := Cancel(), {Phase.SCHEDULED}, "not_scheduled"),
    (DIVERT := Divert(), {Phase.DEPARTED}, "not_departed"),
    (ARRIVE, {Phase.DEPARTED, Phase.DIVERTED}, "not_departed"),
]


def test_later_events_repeat_what_the_schedule_said() -> None:
    given(flight).when(SCHEDULE).then(SCHEDULED).when(DEPART).then(DEPARTED).when(ARRIVE).then(ARRIVED)
    given(flight, SCHEDULED).when(CANCEL).then(CANCELLED)
    given(flight, SCHEDULED, DEPARTED).when(DIVERT).then(DIVERTED)


def test_the_aircraft_that_departs_is_the_one_that_counts() -> None:
    given(flight, SCHEDULED).when(DEPART).then_state(
        Flight(
            phase=Phase.DEPARTED, carrier="UA", origin="EWR", destination="IAH", month=1, hour=5, tail="N24211"
        )
    )  # fmt: skip


def test_a_diverted_flight_may_arrive_later_without_a_delay_to_count() -> None:
    late = Arrive(at=NOON, distance_miles=1400)
    given(flight, SCHEDULED, DEPARTED, DIVERTED).when(late).then(
        Arrived(
            carrier="UA", origin="EWR", destination="IAH", month=1, hour=5, at=NOON, delay_min=None,
            air_time_min=None, distance_miles=1400,
        )
    )  # fmt: skip


@pytest.mark.parametrize("phase", PASTS)
@pytest.mark.parametrize(("command", "allowed", "code"), RULES, ids=lambda value: type(value).__name__)
def test_each_command_is_taken_in_its_phases_only(
    phase: Phase, command: FlightCommand, allowed: set[Phase], code: str
) -> None:
    decided = given(flight, *PASTS[phase]).when(command)
    if phase in allowed:
        assert phase is not Phase.ARRIVED
        decided.when(command).then_rejected(code)
    else:
        decided.then_rejected(code, f"the flight is {phase}")


@pytest.mark.parametrize(
    "wrong",
    [
        replace(SCHEDULE, number=0),
        replace(SCHEDULE, carrier="UAL"),
        replace(SCHEDULE, origin="NY"),
        replace(SCHEDULE, month=13),
        replace(SCHEDULE, hour=24),
        replace(SCHEDULE, distance_miles=0),
    ],
    ids=["number", "carrier", "origin", "month", "hour", "distance"],
)
def test_a_schedule_that_cannot_be_is_no_command(wrong: Schedule) -> None:
    given(flight).when(wrong).then_rejected("invalid_command")


def test_whatever_comes_a_flight_that_took_off_was_scheduled() -> None:
    explore(flight, invariant=lambda state: state.phase is Phase.UNKNOWN or len(state.carrier) == 2)

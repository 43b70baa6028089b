"""A flight: from its schedule to its arrival, its cancellation, or its diversion elsewhere.

Stream id: `2013-01-01-UA-1545-EWR`, which is date, carrier, number and origin.
"""

from __future__ import annotations

from enum import StrEnum

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
from shardlog import Aggregate, State, reject, replace


class Phase(StrEnum):
    """How far a flight is."""

    UNKNOWN = "unknown"
    SCHEDULED = "scheduled"
    DEPARTED = "departed"
    DIVERTED = "diverted"
    ARRIVED = "arrived"
    CANCELLED = "cancelled"


class Flight(State):
    """month, hour: of the scheduled departure on the origin's clock. tail: None until an aircraft is known."""

    phase: Phase = Phase.UNKNOWN
    carrier: str = ""
    origin: str = ""
    destination: str = ""
    month: int = 0
    hour: int = 0
    tail: str | None = None


class FlightRefused(StrEnum):
    ALREADY_SCHEDULED = "already_scheduled"
    NOT_SCHEDULED = "not_scheduled"
    NOT_DEPARTED = "not_departed"


flight = Aggregate("flight", initial=Flight(), commands=FlightCommand, events=FlightEvent, rejects=FlightRefused)


@flight.decides
def schedule(state: Flight, command: Schedule) -> Scheduled:
    if state.phase is not Phase.UNKNOWN:
        reject(FlightRefused.ALREADY_SCHEDULED, f"the flight is {state.phase} and is scheduled once only")
    return Scheduled(
        carrier=command.carrier,
        number=command.number,
        tail=command.tail,
        origin=command.origin,
        destination=command.destination,
        departs_at=command.departs_at,
        arrives_at=command.arrives_at,
        distance_miles=command.distance_miles,
        month=command.month,
        hour=command.hour,
    )


@flight.decides
def depart(state: Flight, command: Depart) -> Departed:
    must_be_scheduled(state)
    return Departed(
        carrier=state.carrier,
        origin=state.origin,
        destination=state.destination,
        month=state.month,
        hour=state.hour,
        at=command.at,
        delay_min=command.delay_min,
        tail=command.tail,
    )


@flight.decides
def arrive(state: Flight, command: Arrive) -> Arrived:
    if state.phase is not Phase.DEPARTED and state.phase is not Phase.DIVERTED:
        reject(FlightRefused.NOT_DEPARTED, f"the flight is {state.phase}, and only one under way arrives")
    return Arrived(
        carrier=state.carrier,
        origin=state.origin,
        destination=state.destination,
        month=state.month,
        hour=state.hour,
        at=command.at,
        delay_min=command.delay_min,
        air_time_min=command.air_time_min,
        distance_miles=command.distance_miles,
    )


@flight.decides
def cancel(state: Flight, command: Cancel) -> Cancelled:
    must_be_scheduled(state)
    return Cancelled(
        carrier=state.carrier,
        origin=state.origin,
        destination=state.destination,
        month=state.month,
        hour=state.hour,
    )


@flight.decides
def divert(state: Flight, command: Divert) -> Diverted:
    if state.phase is not Phase.DEPARTED:
        reject(FlightRefused.NOT_DEPARTED, f"the flight is {state.phase}, and only a departed one is diverted")
    return Diverted(
        carrier=state.carrier,
        origin=state.origin,
        destination=state.destination,
        month=state.month,
        hour=state.hour,
    )


def must_be_scheduled(state: Flight) -> None:
    """Refuse what only a flight that is still to come can do."""
    if state.phase is not Phase.SCHEDULED:
        reject(FlightRefused.NOT_SCHEDULED, f"the flight is {state.phase}: schedule it first, and once")


@flight.evolves
def scheduled(state: Flight, event: Scheduled) -> Flight:
    return Flight(
        phase=Phase.SCHEDULED,
        carrier=event.carrier,
        origin=event.origin,
        destination=event.destination,
        month=event.month,
        hour=event.hour,
        tail=event.tail,
    )


@flight.evolves
def departed(state: Flight, event: Departed) -> Flight:
    return replace(state, phase=Phase.DEPARTED, tail=event.tail)


@flight.evolves
def arrived(state: Flight, event: Arrived) -> Flight:
    return replace(state, phase=Phase.ARRIVED)


@flight.evolves
def cancelled(state: Flight, event: Cancelled) -> Flight:
    return replace(state, phase=Phase.CANCELLED)


@flight.evolves
def diverted(state: Flight, event: Diverted) -> Flight:
    return replace(state, phase=Phase.DIVERTED)

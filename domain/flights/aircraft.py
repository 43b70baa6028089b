"""An aircraft: where it is, as far as flights out of New York tell.

Stream id: the tail number. The way back is never recorded, so an aircraft that departs again after it arrived elsewhere
must have flown back unseen: a ferry is inferred, if there was time for it. What cannot be is refused here and never
touches the flight, whose facts stand by themselves.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from domain.flights.measures import Airport, AirTime, Distance, FlightId
from shardlog import Aggregate, AwareDatetime, Command, Event, State, reject, replace

MILES_A_MINUTE = 10
"""600 mph, gate to gate."""
TURNS = timedelta(minutes=60)
"""Two turns on the ground of half an hour each, before and after the ferry."""


class Aircraft(State):
    """Airborne if `flight` is set, at an airport if `airport` is; neither where it is unknown.

    since: when it arrived there. distance_miles: of the flight that brought it.
    """

    flight: str | None = None
    airport: str | None = None
    since: AwareDatetime | None = None
    distance_miles: int = 0


class AircraftRefused(StrEnum):
    AIRBORNE = "aircraft_airborne"
    RETURN_IMPOSSIBLE = "return_impossible"
    NOT_ON_THIS_FLIGHT = "not_on_this_flight"


class AircraftCommand(Command): ...


class AircraftEvent(Event): ...


class DepartAircraft(AircraftCommand, name="depart"):
    at: AwareDatetime
    flight: FlightId
    origin: Airport
    destination: Airport


class ArriveAircraft(AircraftCommand, name="arrive"):
    at: AwareDatetime
    flight: FlightId
    origin: Airport
    destination: Airport
    air_time_min: AirTime
    distance_miles: Distance


class DivertAircraft(AircraftCommand, name="divert"):
    flight: FlightId
    origin: Airport
    destination: Airport


class FerryInferred(AircraftEvent):
    """It got from where it was last seen to where it departs, on a flight that nobody recorded."""

    origin: str
    destination: str


class AircraftDeparted(AircraftEvent, name="departed"):
    at: AwareDatetime
    flight: str
    origin: str
    destination: str


class AircraftArrived(AircraftEvent, name="arrived"):
    at: AwareDatetime
    flight: str
    origin: str
    destination: str
    air_time_min: int
    distance_miles: int


class AircraftDiverted(AircraftEvent, name="diverted"):
    """It landed somewhere else; where is not known."""

    flight: str
    origin: str
    destination: str


aircraft = Aggregate(
    "aircraft", initial=Aircraft(), commands=AircraftCommand, events=AircraftEvent, rejects=AircraftRefused
)


@aircraft.decides
def depart(state: Aircraft, command: DepartAircraft) -> AircraftDeparted | tuple[FerryInferred, AircraftDeparted]:
    if state.flight is not None:
        reject(AircraftRefused.AIRBORNE, f"it is airborne on {state.flight}, and cannot depart on {command.flight}")
    departed = AircraftDeparted(
        at=command.at, flight=command.flight, origin=command.origin, destination=command.destination
    )
    if state.airport is None or state.since is None:
        return departed
    back = earliest_return(state.since, state.distance_miles)
    if command.at < back:
        reject(
            AircraftRefused.RETURN_IMPOSSIBLE,
            f"it arrived at {state.airport} at {state.since:%Y-%m-%dT%H:%MZ}, {state.distance_miles} miles away, and "
            f"cannot depart from {command.origin} before {back:%Y-%m-%dT%H:%MZ}",
        )
    return FerryInferred(origin=state.airport, destination=command.origin), departed


@aircraft.decides
def arrive(state: Aircraft, command: ArriveAircraft) -> AircraftArrived:
    must_be_on(state, command.flight)
    return AircraftArrived(
        at=command.at,
        flight=command.flight,
        origin=command.origin,
        destination=command.destination,
        air_time_min=command.air_time_min,
        distance_miles=command.distance_miles,
    )


@aircraft.decides
def divert(state: Aircraft, command: DivertAircraft) -> AircraftDiverted:
    must_be_on(state, command.flight)
    return AircraftDiverted(flight=command.flight, origin=command.origin, destination=command.destination)


def earliest_return(arrived_at: datetime, distance_miles: int) -> datetime:
    """When an aircraft can be back where it came from, ready to depart: the distance, rounded up, and two turns."""
    return arrived_at + timedelta(minutes=-(-distance_miles // MILES_A_MINUTE)) + TURNS


def must_be_on(state: Aircraft, flight: str) -> None:
    """Refuse what only an aircraft in the air on this flight can do."""
    if state.flight != flight:
        where = f"airborne on {state.flight}" if state.flight else f"at {state.airport or 'an unknown place'}"
        reject(AircraftRefused.NOT_ON_THIS_FLIGHT, f"it is {where}, and not on {flight}")


@aircraft.evolves
def departed(state: Aircraft, event: AircraftDeparted) -> Aircraft:
    return Aircraft(flight=event.flight)


@aircraft.evolves
def ferried(state: Aircraft, event: FerryInferred) -> Aircraft:
    return replace(state, airport=event.destination)


@aircraft.evolves
def arrived(state: Aircraft, event: AircraftArrived) -> Aircraft:
    return Aircraft(airport=event.destination, since=event.at, distance_miles=event.distance_miles)


@aircraft.evolves
def diverted(state: Aircraft, event: AircraftDiverted) -> Aircraft:
    return Aircraft()

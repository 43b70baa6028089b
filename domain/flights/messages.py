"""What may be asked of a flight, and what may happen to one.

Events repeat what the schedule said, since whoever counts them looks nothing up.
"""

from __future__ import annotations

from typing import Annotated

from domain.flights.measures import Airport, AirTime, Carrier, Distance, Tail
from shardlog import AwareDatetime, Command, Event, Meta

Month = Annotated[int, Meta(ge=1, le=12)]
Hour = Annotated[int, Meta(ge=0, le=23)]


class FlightCommand(Command): ...


class FlightEvent(Event): ...


class Schedule(FlightCommand):
    """Times in UTC."""

    carrier: Carrier
    number: Annotated[int, Meta(gt=0)]
    tail: Tail | None = None
    origin: Airport
    destination: Airport
    departs_at: AwareDatetime
    arrives_at: AwareDatetime
    distance_miles: Distance
    month: Month
    hour: Hour


class Depart(FlightCommand):
    """delay_min: against the schedule; negative is early."""

    at: AwareDatetime
    delay_min: int
    tail: Tail


class Arrive(FlightCommand):
    """delay_min, air_time_min: None for a flight that was diverted and came later."""

    at: AwareDatetime
    delay_min: int | None = None
    air_time_min: AirTime | None = None
    distance_miles: Distance


class Cancel(FlightCommand):
    """It will not fly."""


class Divert(FlightCommand):
    """It lands elsewhere; it may yet arrive."""


class Scheduled(FlightEvent):
    carrier: str
    number: int
    tail: str | None
    origin: str
    destination: str
    departs_at: AwareDatetime
    arrives_at: AwareDatetime
    distance_miles: int
    month: int
    hour: int


class PlacedEvent(FlightEvent):
    """What every later event repeats of the schedule."""

    carrier: str
    origin: str
    destination: str
    month: int
    hour: int


class Departed(PlacedEvent):
    at: AwareDatetime
    delay_min: int
    tail: str


class Arrived(PlacedEvent):
    at: AwareDatetime
    delay_min: int | None
    air_time_min: int | None
    distance_miles: int


class Cancelled(PlacedEvent): ...


class Diverted(PlacedEvent): ...

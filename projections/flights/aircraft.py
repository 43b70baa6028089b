"""What each aircraft did, and what was refused, because the data contradict themselves."""

from __future__ import annotations

from domain.flights.aircraft import AircraftArrived, AircraftDeparted, aircraft
from projections.flights.tables import AircraftUtilisation, RejectionCount, flights
from shardlog import Changes, Recorded, RecordedRejection, increment


@flights.on
def departed(event: AircraftDeparted, recorded: Recorded) -> Changes:
    return increment(AircraftUtilisation, recorded.id, flights=1)


@flights.on
def arrived(event: AircraftArrived, recorded: Recorded) -> Changes:
    return increment(
        AircraftUtilisation, recorded.id, air_time_min=event.air_time_min, distance_miles=event.distance_miles
    )


@flights.on_rejected
def rejected(rejection: RecordedRejection, recorded: Recorded) -> Changes:
    counted = increment(RejectionCount, rejection.category, rejection.code, count=1)
    if rejection.category != aircraft.category:
        return counted
    return counted, increment(AircraftUtilisation, rejection.id, rejected=1)

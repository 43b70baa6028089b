"""On-time performance by carrier and month, by route, and by origin and hour: every event counts in all three."""

from __future__ import annotations

from domain.flights.messages import Arrived, Cancelled, Departed, Diverted, PlacedEvent, Scheduled
from projections.flights.tables import DELAYED_MIN, OnTimeByCarrierMonth, OnTimeByOriginHour, OnTimeByRoute, flights
from shardlog import Changes, Recorded, increment


@flights.on
def scheduled(event: Scheduled, recorded: Recorded) -> Changes:
    return count(event, flights=1)


@flights.on
def departed(event: Departed, recorded: Recorded) -> Changes:
    return count(
        event,
        departures=1,
        departures_delayed=int(event.delay_min > DELAYED_MIN),
        departure_delay_sum_min=event.delay_min,
    )


@flights.on
def arrived(event: Arrived, recorded: Recorded) -> Changes:
    if event.delay_min is None:
        return None
    return count(event, arrivals_on_time_basis=1, arrival_delay_sum_min=event.delay_min)


@flights.on
def cancelled(event: Cancelled, recorded: Recorded) -> Changes:
    return count(event, cancelled=1)


@flights.on
def diverted(event: Diverted, recorded: Recorded) -> Changes:
    return count(event, diverted=1)


def count(event: Scheduled | PlacedEvent, **columns: int) -> Changes:
    """The same counts in each of the three tables."""
    return (
        increment(OnTimeByCarrierMonth, event.carrier, event.month, **columns),
        increment(OnTimeByRoute, event.origin, event.destination, **columns),
        increment(OnTimeByOriginHour, event.origin, event.hour, **columns),
    )

"""The tables of the flights projection: sums and counts as integers, so that any mean is exact to compute.

Every row is only ever incremented, since flights and aircraft of every shard add to the same rows. All tables are of
one projection and so of one checkpoint: they always speak of the same flights.
"""

from __future__ import annotations

from shardlog import Key, Projection, Row

DELAYED_MIN = 15
"""A departure more than so many minutes late counts as delayed."""


class OnTimeByCarrierMonth(Row, name="on_time_by_carrier_month"):
    """How punctual a carrier was in a month; means are sums divided by counts.

    month: of the schedule.
    flights: that were to leave.
    diverted: with those that never arrived.
    departures_delayed: by more than 15 minutes.
    departure_delay_sum_min: of all departures, diverted ones too.
    arrivals_on_time_basis: flights with an arrival delay, so none that was diverted.
    arrival_delay_sum_min: of those.
    """

    carrier: Key[str]
    month: Key[int]
    flights: int = 0
    cancelled: int = 0
    diverted: int = 0
    departures: int = 0
    departures_delayed: int = 0
    departure_delay_sum_min: int = 0
    arrivals_on_time_basis: int = 0
    arrival_delay_sum_min: int = 0


class OnTimeByRoute(Row, name="on_time_by_route"):
    """How punctual a route was; means are sums divided by counts.

    flights: that were to leave.
    diverted: with those that never arrived.
    departures_delayed: by more than 15 minutes.
    departure_delay_sum_min: of all departures, diverted ones too.
    arrivals_on_time_basis: flights with an arrival delay, so none that was diverted.
    arrival_delay_sum_min: of those.
    """

    origin: Key[str]
    destination: Key[str]
    flights: int = 0
    cancelled: int = 0
    diverted: int = 0
    departures: int = 0
    departures_delayed: int = 0
    departure_delay_sum_min: int = 0
    arrivals_on_time_basis: int = 0
    arrival_delay_sum_min: int = 0


class OnTimeByOriginHour(Row, name="on_time_by_origin_hour"):
    """How punctual an hour of the day was at an origin; means are sums divided by counts.

    hour: of the schedule, on the origin's clock.
    flights: that were to leave.
    diverted: with those that never arrived.
    departures_delayed: by more than 15 minutes.
    departure_delay_sum_min: of all departures, diverted ones too.
    arrivals_on_time_basis: flights with an arrival delay, so none that was diverted.
    arrival_delay_sum_min: of those.
    """

    origin: Key[str]
    hour: Key[int]
    flights: int = 0
    cancelled: int = 0
    diverted: int = 0
    departures: int = 0
    departures_delayed: int = 0
    departure_delay_sum_min: int = 0
    arrivals_on_time_basis: int = 0
    arrival_delay_sum_min: int = 0


class AircraftUtilisation(Row, name="aircraft_utilisation"):
    """What an aircraft did.

    flights: accepted departures.
    air_time_min, distance_miles: of accepted arrivals.
    rejected: refused commands.
    """

    tail: Key[str]
    flights: int = 0
    air_time_min: int = 0
    distance_miles: int = 0
    rejected: int = 0


class RejectionCount(Row, name="rejections"):
    """Business rejections.

    reason: the code.
    """

    category: Key[str]
    reason: Key[str]
    count: int = 0


flights = Projection(
    "flights",
    rows=[OnTimeByCarrierMonth, OnTimeByRoute, OnTimeByOriginHour, AircraftUtilisation, RejectionCount],
    rejections=("flight", "aircraft"),
)

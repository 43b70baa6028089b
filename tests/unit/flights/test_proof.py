"""January through the domain's functions, proven against the CSV; and that the proof sees what is wrong."""

from __future__ import annotations

import ast
import sqlite3
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pytest

from demo import proof, recount
from demo.feed import FlightsFeed
from demo.proof import differences
from demo.recount import Table, expected_tables

from .direct import Direct, write_tables


@pytest.fixture(scope="module")
def expected() -> list[Table]:
    return expected_tables(1)


@pytest.fixture(scope="module")
def ran(january: FlightsFeed) -> Direct:
    direct = Direct()
    direct.run(january.read(0, 0, january.total()))
    return direct


@pytest.fixture
def file(ran: Direct, tmp_path: Path) -> Path:
    path = tmp_path / "projections.sqlite"
    write_tables(ran.counters, path)
    return path


def change(file: Path, statement: str) -> None:
    with closing(sqlite3.connect(file)) as database:
        assert database.execute(statement).rowcount in (1, -1)
        database.commit()


def test_january_through_the_domain_gives_what_the_csv_gives(file: Path, expected: list[Table]) -> None:
    assert differences(file.parent, expected) == []


def test_no_rejection_is_about_a_flight(ran: Direct) -> None:
    assert ran.counters["rejections"] == {
        ("aircraft", "aircraft_airborne"): {"count": 9},
        ("aircraft", "return_impossible"): {"count": 20},
        ("aircraft", "not_on_this_flight"): {"count": 29},
    }


def test_a_refused_departure_refuses_its_arrival_too(ran: Direct) -> None:
    counts = {reason: counted["count"] for (_, reason), counted in ran.counters["rejections"].items()}
    assert counts["not_on_this_flight"] == counts["aircraft_airborne"] + counts["return_impossible"]


def test_every_command_of_january_is_counted_somewhere(ran: Direct) -> None:
    flights = ran.counters["on_time_by_carrier_month"].values()
    assert sum(row["flights"] for row in flights) == ran.commands["flight", "schedule"] == 27_004
    assert sum(row["departures"] for row in flights) == ran.commands["flight", "depart"]
    assert sum(row["cancelled"] for row in flights) == ran.commands["flight", "cancel"]
    assert sum(row["diverted"] for row in flights) == ran.commands["flight", "divert"]


@pytest.mark.parametrize(
    ("statement", "line"),
    [
        (
            "update on_time_by_carrier_month set departures = departures + 1 where carrier = 'UA' and month = 1",
            "on_time_by_carrier_month[carrier=UA, month=1]: departures is 4606, expected 4605",
        ),
        (
            "update rejections set count = null where reason = 'return_impossible'",
            "rejections[category=aircraft, reason=return_impossible]: count is None, expected 20",
        ),
        (
            "update aircraft_utilisation set air_time_min = 2437.0 where tail = 'N14228'",
            "aircraft_utilisation[tail=N14228]: air_time_min is 2437.0, expected 2437",
        ),
        (
            "delete from on_time_by_origin_hour where origin = 'EWR' and hour = 5",
            "on_time_by_origin_hour[origin=EWR, hour=5]: is missing, expected flights=61, cancelled=0, diverted=0, "
            "departures=61, departures_delayed=3, departure_delay_sum_min=82, arrivals_on_time_basis=61, "
            "arrival_delay_sum_min=-29",
        ),
        (
            "insert into on_time_by_route values ('EWR', 'XXX', 1, 0, 0, 0, 0, 0, 0, 0)",
            "on_time_by_route[origin=EWR, destination=XXX]: is there, and nothing in the data gives it",
        ),
        (
            "alter table rejections rename column count to counted",
            "rejections: its columns are ['category', 'reason', 'counted'], expected ['category', 'reason', 'count']",
        ),
        (
            "drop table rejections",
            "rejections: its columns are missing, and so is the table, expected ['category', 'reason', 'count']",
        ),
    ],
)
def test_the_proof_names_what_differs(file: Path, expected: list[Table], statement: str, line: str) -> None:
    change(file, statement)
    assert differences(file.parent, expected) == [line]


def test_there_is_no_proof_without_a_file(tmp_path: Path, expected: list[Table]) -> None:
    assert differences(tmp_path / "none", expected) == [
        f"there is no file {tmp_path / 'none' / 'projections.sqlite'}: run the demo first"
    ]


@pytest.mark.parametrize("module", [proof, recount])
def test_the_proof_shares_no_code_with_what_it_proves(module: ModuleType) -> None:
    tree = ast.parse(Path(str(module.__file__)).read_text())
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert not {str(name).partition(".")[0] for name in imported} & {"domain", "projections", "shardlog"}


def test_the_years_conflicts_are_these() -> None:
    tables = {table.name: table for table in expected_tables(12)}
    assert tables["rejections"].rows == {
        ("aircraft", "aircraft_airborne"): (127,),
        ("aircraft", "return_impossible"): (179,),
        ("aircraft", "not_on_this_flight"): (306,),
    }
    assert sum(row[0] for row in tables["on_time_by_route"].rows.values()) == 336_776
    assert len(tables["on_time_by_route"].rows) == 224

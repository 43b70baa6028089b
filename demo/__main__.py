"""`python -m demo`: a year of flights through four shards into SQL tables, and the proof that the tables are right."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

from rich.console import Console

from demo.application import MONTHS, SHARDS, directory_of
from demo.chain import chain_differences
from demo.feed import FlightsFeed
from demo.job import progress_bars, run
from demo.rebuilding import rebuild_differs
from demo.report import print_report
from projections.flights import flights as tables
from shardlog.errors import ShardlogError

INTERRUPTED = 130
DIFFERENCES_SHOWN = 20


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
    print_report(directory / "projections.sqlite", console)
    proven = _prove(console, months, feed.total())
    console.print(f"{time.monotonic() - began:.0f} s in all")
    return 0 if proven else 1


def _prove(console: Console, months: int, commands: int) -> bool:
    """Three checks; the one that counts again from the CSV files runs beside the other two, in a process of its own."""
    directory = directory_of(months)
    command = [sys.executable, "-m", "demo.proof", str(directory / "projections.sqlite"), str(months)]
    with (
        console.status("counting again from the CSV files, walking the chain, rebuilding a projection"),
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as counting,  # noqa: S603  # our own module
    ):
        chain, broken = chain_differences(directory, tables, commands)
        differing = rebuild_differs(directory, tables)
        differences = counting.communicate()[0].splitlines()
    if counting.returncode and not differences:
        differences = [f"the count ended with exit code {counting.returncode}; what it says stands above"]
    for line in differences[:DIFFERENCES_SHOWN] + broken + [f"table {name}, built again" for name in differing]:
        console.print(f"[red]differs[/] {line}", highlight=False)
    _say(console, not differences, "every row of the tables equals what the CSV files give")
    held = f"{chain.frames:,} frames with {chain.entries:,} commands; records that do not count: {chain.invalid:,}"
    _say(console, not broken, f"the hash chain leads to where the tables stand, over {held}")
    _say(console, not differing, f"a rebuild of projection {tables.name!r} from nothing gives the same rows")
    return not (differences or broken or differing)


def _say(console: Console, holds: bool, text: str) -> None:
    console.print(f"[green]proven[/] {text}" if holds else f"[red]not proven:[/] {text}", highlight=False)


if __name__ == "__main__":
    sys.exit(main())

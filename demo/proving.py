"""What a run of the demo proves of its journal and its tables, and how that is said."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from rich.console import Console

from demo.application import application
from demo.chain import chain_differences
from demo.log import Log
from demo.rebuilding import rebuild_differs
from projections.flights import flights as tables

DIFFERENCES_SHOWN = 20


def prove_run(console: Console, log: Log, database: Path, months: int, commands: int) -> bool:
    """Three checks; the one that counts again from the CSV files runs beside the other two, in a process of its own.

    database: the SQLite file with the tables. commands: how many were fed, those of the first `months` months.
    """
    command = [sys.executable, "-m", "demo.proof", str(database), str(months)]
    with (
        console.status("counting again from the CSV files, walking the chain, rebuilding a projection"),
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as counting,  # noqa: S603  # our own module
    ):
        chain, broken = chain_differences(log, database, tables, commands)
        differing = rebuild_differs(log, database, application, tables)
        differences = counting.communicate()[0].splitlines()
    if counting.returncode and not differences:
        differences = [f"the count ended with exit code {counting.returncode}; what it says stands above"]
    for line in differences[:DIFFERENCES_SHOWN] + broken + [f"table {name}, built again" for name in differing]:
        console.print(f"[red]differs[/] {line}", highlight=False)
    say_proven(console, not differences, "every row of the tables equals what the CSV files give")
    held = f"{chain.frames:,} frames with {chain.entries:,} commands; records that do not count: {chain.invalid:,}"
    say_proven(console, not broken, f"the hash chain leads to where the tables stand, over {held}")
    say_proven(console, not differing, f"a rebuild of projection {tables.name!r} from nothing gives the same rows")
    return not (differences or broken or differing)


def say_proven(console: Console, holds: bool, text: str) -> None:
    """One line of the proof."""
    console.print(f"[green]proven[/] {text}" if holds else f"[red]not proven:[/] {text}", highlight=False)

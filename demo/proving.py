"""What a run of the demo proves of its journal and its tables, and how that is said."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from rich.console import Console

from demo.chain import chain_differences
from demo.log import Log
from demo.querying import named_database
from demo.rebuilding import rebuild_differs
from shardlog import Application

DIFFERENCES_SHOWN = 20


def prove_run(console: Console, log: Log, place: Path, served: Application, months: int, commands: int) -> bool:
    """Three checks; the one that counts again from the CSV files runs beside the other two, in a process of its own.

    place: the journal's directory, or the file of settings that says where the tables are. commands: how many entries
    the frames must hold. months: of flights that were fed.
    """
    database, projections = named_database(place), list(served.projections.values())
    names = ", ".join(projection.name for projection in projections)
    command = [sys.executable, "-m", "demo.proof", str(place), str(months)]
    with (
        console.status(f"counting again from the CSV files, walking the chain, rebuilding {names}"),
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as counting,  # noqa: S603  # our own module
    ):
        walks = [chain_differences(log, database, projection, commands) for projection in projections]
        differing = [name for p in projections for name in rebuild_differs(log, database, served, p)]
        differences = counting.communicate()[0].splitlines()
    chain, broken = walks[0].chain, list(dict.fromkeys(line for walk in walks for line in walk.differences))
    if counting.returncode and not differences:
        differences = [f"the count ended with exit code {counting.returncode}; what it says stands above"]
    for line in differences[:DIFFERENCES_SHOWN] + broken + [f"table {name}, built again" for name in differing]:
        console.print(f"[red]differs[/] {line}", highlight=False)
    say_proven(console, not differences, "every row of the flights tables equals what the CSV files give")
    held = f"{chain.frames:,} frames with {chain.entries:,} commands; records that do not count: {chain.invalid:,}"
    say_proven(console, not broken, f"the hash chain leads to where the tables stand, over {held}")
    say_proven(console, not differing, f"a rebuild from nothing gives the same rows: {names}")
    return not (differences or broken or differing)


def say_proven(console: Console, holds: bool, text: str) -> None:
    """One line of the proof."""
    console.print(f"[green]proven[/] {text}" if holds else f"[red]not proven:[/] {text}", highlight=False)

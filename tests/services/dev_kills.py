"""`python -m tests.services.dev_kills --kills 300`: `shardlog dev` under load, killed at random moments, and checked.

Clients send single commands, batches and reads over HTTP. At the end the process is let to drain, and everything that
anybody was told is held against the journal; the tables are compared with a rebuild.
"""

from __future__ import annotations

import argparse
import sqlite3
import subprocess
import tempfile
from pathlib import Path
from random import Random, SystemRandom
from typing import NamedTuple

from shardlog.wiring.embedded import Embedded
from tests.services.bank_process import SHARDS, application
from tests.services.dev_process import DevProcess
from tests.services.http_history import Counted, check, check_money
from tests.services.http_load import Load, Operation
from tests.services.processes import Left, left_in

STILL_STARTING_SECONDS = 1.0
PROGRESS = 25


class Survived(NamedTuple):
    """What a run of kills left. recoveries_s: of each process that came to serve. kills: all, those of processes that
    did not serve yet among them. exit_code: of the last process, which was let to drain."""

    directory: Path
    operations: list[Operation]
    recoveries_s: list[float]
    kills: int
    exit_code: int


def survive(directory: Path, kills: int, seed: int) -> Survived:
    """Serve, kill, serve again; in the end let all clients settle what they sent."""
    random = Random(seed)
    load = Load(seed)
    load.start()
    recoveries: list[float] = []
    for kill in range(kills):
        if kill and kill % PROGRESS == 0:
            print(f"{kill} kills, {sum(len(client.operations) for client in load.clients):,} commands", flush=True)
        process = DevProcess(directory)
        if random.random() < 0.15 and _is_killed_while_it_starts(process, random):
            continue
        _serve(process, load, recoveries)
        load.wait_for(random.choice([0, 1, 5, 30, 100, 300, 600]))
        process.kill()
        load.address.moved(None)
    process = DevProcess(directory)
    _serve(process, load, recoveries)
    operations = load.end()
    return Survived(directory, operations, recoveries, kills, process.end())


def _serve(process: DevProcess, load: Load, recoveries: list[float]) -> None:
    process.wait_until_it_serves()
    assert process.recovery_s is not None
    recoveries.append(process.recovery_s)
    load.address.moved(process.port)


def _is_killed_while_it_starts(process: DevProcess, random: Random) -> bool:
    try:
        process.popen.wait(random.random() * STILL_STARTING_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        return True
    raise AssertionError(f"dev ended by itself: {process.errors()}")


def at_rest(directory: Path) -> list[Left]:
    """What every shard holds once all sends have arrived; the tables have all of it then, too."""
    with Embedded(application, directory, shards=SHARDS) as engine:
        engine.wait_for_sends()
        engine.wait_for_projections()
    return left_in(directory)


def rows(directory: Path) -> dict[str, list[tuple[object, ...]]]:
    """All rows of the projections' tables, sorted."""
    with sqlite3.connect(directory / "projections.sqlite") as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")]
        return {
            name: sorted(connection.execute(f'SELECT * FROM "{name}"').fetchall(), key=repr)
            for name in names
            if "balances" in name and not name.startswith("shardlog")
        }


def rebuilt_rows(directory: Path) -> dict[str, list[tuple[object, ...]]]:
    """The same from nothing."""
    for file in directory.glob("projections.sqlite*"):
        file.unlink()
    with Embedded(application, directory, shards=SHARDS) as engine:
        engine.wait_for_projections()
    return rows(directory)


def recovery_line(recoveries_s: list[float]) -> str:
    """The figures for people."""
    ordered = sorted(recoveries_s)
    p50, most = ordered[len(ordered) // 2], ordered[-1]
    return f"recovery, from the start of the process to its first request: p50 {p50:.2f} s, max {most:.2f} s"


def main() -> None:
    """Run, check, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(1_000_000))
    given = parser.parse_args()
    print(f"seed {given.seed}, {given.kills} kills", flush=True)
    with tempfile.TemporaryDirectory(prefix="shardlog-kills-") as place:
        survived = survive(Path(place) / "bank", given.kills, given.seed)
        print(recovery_line(survived.recoveries_s), flush=True)
        left = at_rest(survived.directory)
        counted: Counted = check(survived.operations, left)
        cents = check_money(left)
        kept = rows(survived.directory)
        assert rebuilt_rows(survived.directory) == kept, "the tables differ from a rebuild"
    print(", ".join(f"{name.replace('_', ' ')} {value:,}" for name, value in counted._asdict().items()))
    print(f"{cents:,} cents are where they belong, the tables equal a rebuild, and every promise was kept")


if __name__ == "__main__":
    main()

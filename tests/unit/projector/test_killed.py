"""A projector that is killed at any moment, again and again, leaves what one that was never killed leaves."""

from __future__ import annotations

import multiprocessing
import random
import signal
import sqlite3
from pathlib import Path

import pytest

from shardlog import Event
from shardlog.adapters.sqlite.journal import SqliteJournal
from tests.unit.projector import serve
from tests.unit.projector.bank import Closed, Deposited, Noted, Opened
from tests.unit.projector.log import LogWriter
from tests.unit.projector.serve import POISON, SHARDS, projector

TABLES = ("balances_v1", "totals_v1", "shardlog_checkpoints", "shardlog_dead_letters")
FRAMES = 150
KILLS_MAX = 300
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.unit.projector.serve"])


def dump(database: Path) -> list[str]:
    """Every table's rows, in the order of their keys, as SQL."""
    connection = sqlite3.connect(database)
    lines = [line for line in connection.iterdump() if any(f'"{table}"' in line for table in TABLES)]
    connection.close()
    return sorted(lines)


def random_history(log: LogWriter, chance: random.Random) -> None:
    for _ in range(FRAMES):
        id = f"l{chance.randrange(30)}:a"
        amounts = [chance.randrange(1, 200) for _ in range(chance.randrange(1, 6))]
        events: list[Event] = [Deposited(amount=a if a != 150 else POISON) for a in amounts]
        events.append(chance.choice([Opened(owner="ann"), Closed(), Noted(text="x"), Deposited(amount=POISON + 1)]))
        log.happened(*[(id, event) for event in events])


@pytest.mark.parametrize("seed", range(2))
def test_killed_at_random_moments_it_ends_with_the_rows_of_one_that_was_not(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    log = LogWriter(SqliteJournal(tmp_path / "journal", SHARDS), SHARDS)
    random_history(log, chance)
    log.journal.close()
    kills = 0
    while not runs_to_its_end(tmp_path, chance.randrange(1, 500)):
        kills += 1
        assert kills < KILLS_MAX
    assert kills > 3
    whole = projector(tmp_path, tmp_path / "whole.sqlite", frames_max=1_000)
    whole.drain()
    assert dump(tmp_path / "projections.sqlite") == dump(tmp_path / "whole.sqlite")
    assert len(whole.dead_letters("balances").letters()) > 10


def runs_to_its_end(directory: Path, statements: int) -> bool:
    """Whether it came to its end before it was killed, after so many statements."""
    process = PROCESSES.Process(target=serve.main, args=(directory, statements))
    process.start()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode == 0

"""The demo can be interrupted at any moment, in any way, and run again: it goes on, and the result is the same."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.application import SHARDS
from demo.chain import chain_differences
from demo.feed import FlightsFeed
from demo.log import Log, sqlite_log
from shardlog.adapters.sqlite.control import read_meta
from shardlog.adapters.sqlite.journal import SqliteJournal
from shardlog.journal.reader import FrameTaken, Reader
from shardlog.journal.records import decode_raw_frame
from shardlog.wiring.embedded import Embedded
from shardlog.wiring.stores import ProjectionDatabase
from tests.unit.projector.bank import Deposit, account, bank

INTERRUPTIONS = 5
RUN_SECONDS_MAX = 240
TABLES = "projections.sqlite"


def start(directory: Path) -> subprocess.Popen[str]:
    """The short form of the demo, in its own process group."""
    return subprocess.Popen(
        [sys.executable, "-m", "demo", "--months", "1"],
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env={**os.environ, "COLUMNS": "200"},
    )


def command_ids(directory: Path) -> list[list[str]]:
    """The command ids of every valid frame, in order, by shard."""
    meta, journal = read_meta(directory), SqliteJournal(directory, SHARDS)
    found: list[list[str]] = []
    for shard in range(SHARDS):
        reader = Reader(meta.journal, shard, meta.shards)
        ids: list[str] = []
        for offset, value in journal.read(shard, 0):
            verdict = reader.pass_over(offset, value)
            if isinstance(verdict, FrameTaken):
                ids += [entry.command_id for entry in decode_raw_frame(verdict.body).entries]
        found.append(ids)
    journal.close()
    return found


@pytest.mark.timeout(600)
def test_a_demo_that_is_killed_at_random_moments_ends_with_every_command_once_and_is_proven(tmp_path: Path) -> None:
    seed = int(os.environ.get("DEMO_SEED") or random.randrange(2**32))
    print(f"DEMO_SEED={seed}")
    chance = random.Random(seed)
    for _ in range(INTERRUPTIONS):
        process = start(tmp_path)
        try:
            output, _ = process.communicate(timeout=chance.uniform(0.5, 5.0))
            assert process.returncode == 0, output
        except subprocess.TimeoutExpired:
            how = chance.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGINT])
            process.send_signal(how)
            output, _ = process.communicate(timeout=RUN_SECONDS_MAX)
            accepted = (-signal.SIGKILL,) if how == signal.SIGKILL else (130, 0, -signal.SIGINT)
            assert process.returncode in accepted, output
    process = start(tmp_path)
    output, _ = process.communicate(timeout=RUN_SECONDS_MAX)
    assert process.returncode == 0, output
    assert output.count("proven ") == 3, output
    assert "differs" not in output
    feed = FlightsFeed(1, SHARDS)
    for shard, ids in enumerate(command_ids(tmp_path / "var" / "demo-1-months")):
        records = feed.read(shard, 0, feed.total(shard))
        assert ids == [record.split(b'"', 8)[7].decode() for record in records]
    change_tables(
        tmp_path / "var" / "demo-1-months", f"UPDATE shardlog_checkpoints SET head = '{'0' * 64}' WHERE shard = 2"
    )
    process = start(tmp_path)
    output, _ = process.communicate(timeout=RUN_SECONDS_MAX)
    assert process.returncode == 1, output
    assert output.count("proven ") == 2, output
    assert "differs shard 2: projection 'flights' stands at offset" in output


@pytest.fixture
def log(projected: Path) -> Iterator[Log]:
    """The journal of that engine."""
    with sqlite_log(projected) as log:
        yield log


@pytest.fixture
def projected(tmp_path: Path) -> Path:
    """The directory of an engine that has served twenty commands."""
    with Embedded(bank()[0], tmp_path) as engine:
        for number in range(20):
            engine.send(account.stream(f"l{number}:a"), Deposit(amount=1))
        engine.wait_for_projections()
    return tmp_path


def test_the_chain_is_held_against_the_checkpoints_and_the_number_of_commands(log: Log, projected: Path) -> None:
    chain, differences = chain_differences(log, ProjectionDatabase(projected), bank()[1], 20)
    assert differences == []
    assert (chain.entries, chain.invalid) == (20, 0)
    assert chain.frames >= 4


def test_a_command_too_few_in_the_frames_is_found(log: Log, projected: Path) -> None:
    _, differences = chain_differences(log, ProjectionDatabase(projected), bank()[1], 21)
    assert differences == ["the frames hold 20 entries, and 21 commands were fed"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            f"UPDATE shardlog_checkpoints SET head = '{'0' * 64}' WHERE shard = 2",
            f"with head {'0' * 64}, and the chain",
        ),
        ("UPDATE shardlog_checkpoints SET next = next - 1 WHERE shard = 2", "and the chain has head"),
        ("UPDATE shardlog_checkpoints SET next = next + 1 WHERE shard = 2", "and the chain does not reach that far"),
        ("DELETE FROM shardlog_checkpoints WHERE shard = 2", "has no checkpoint"),
    ],
)
def test_tables_that_do_not_stand_where_the_chain_leads_are_found(
    log: Log, projected: Path, change: str, said: str
) -> None:
    change_tables(projected, change)
    _, (difference,) = chain_differences(log, ProjectionDatabase(projected), bank()[1], 20)
    assert difference.startswith("shard 2: projection 'balances' ")
    assert said in difference


def change_tables(directory: Path, statement: str) -> None:
    connection = sqlite3.connect(directory / TABLES, isolation_level=None, timeout=30)
    assert connection.execute(statement).rowcount == 1
    connection.close()

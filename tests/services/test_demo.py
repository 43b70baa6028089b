"""The demo can be interrupted at any moment, in any way, and run again: it goes on, and the result is the same."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from demo.application import SHARDS
from demo.feed import FlightsFeed
from shardlog.adapters.sqlite.control import read_meta
from shardlog.adapters.sqlite.journal import SqliteJournal
from shardlog.journal.reader import FrameTaken, Reader
from shardlog.journal.records import decode_raw_frame

INTERRUPTIONS = 5
RUN_SECONDS_MAX = 240


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

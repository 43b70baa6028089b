"""Starting, killing and reading the processes of these tests, and reading what they left behind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from shardlog import Position
from shardlog.adapters.sqlite.control import read_meta
from shardlog.adapters.sqlite.journal import SqliteJournal
from shardlog.executor.core import ExecutorCore
from shardlog.executor.limits import Limits
from shardlog.executor.replay import Replay
from shardlog.executor.state import Shard, ShardState
from shardlog.journal.reader import FrameTaken, Reader
from shardlog.journal.records import entry_indexes
from shardlog.ports.journal import Journal
from tests.services.bank_process import SHARDS, application

ROOT = Path(__file__).parents[2]


class Said(NamedTuple):
    """One answer, as the process said it."""

    thread: int
    id: str
    command_id: str
    code: str
    version: int | None
    token: str | None


class BankProcess:
    """One process; what it says is read line by line."""

    module = "tests.services.bank_process"

    def __init__(self, directory: Path, run: int, *mode: str) -> None:
        self.said: list[Said] = []
        self.words: list[str] = []
        self.popen = subprocess.Popen(
            [sys.executable, "-m", self.module, str(directory), str(run), *mode],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
        )

    def read(self, answers: int) -> None:
        """Wait until it has said so many more answers; ends earlier where the process does."""
        assert self.popen.stdout is not None
        wanted = len(self.said) + answers
        while len(self.said) < wanted and (line := self.popen.stdout.readline()):
            self._take(line)

    def wait_for(self, word: str) -> None:
        assert self.popen.stdout is not None
        while word not in self.words:
            line = self.popen.stdout.readline()
            assert line, f"ended before it said {word!r}: {self.errors()}"
            self._take(line)

    def finish(self) -> str:
        """Read to the end; returns what it wrote to its error output."""
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            if line.endswith(b"\n"):
                self._take(line)
        errors = self.errors()
        self.popen.wait()
        self.popen.stdout.close()
        return errors

    def errors(self) -> str:
        assert self.popen.stderr is not None
        with self.popen.stderr as stream:
            return stream.read().decode()

    def kill(self) -> None:
        """kill -9; what it had said before is read."""
        self.popen.kill()
        self.finish()

    def _take(self, line: bytes) -> None:
        values = json.loads(line)
        if len(values) == 1:
            self.words.append(values[0])
        else:
            self.said.append(Said(*values[:6]))


class Entry(NamedTuple):
    """An entry as it stands in a shard's valid frames."""

    token: str
    entry: Any


class Left(NamedTuple):
    """What a shard's log holds: entries in order, the state that they lead to."""

    entries: list[Entry]
    state: ShardState


def left_in(directory: Path) -> list[Left]:
    """What every shard's log holds, read by the reader's rule and nothing else."""
    meta = read_meta(directory)
    journal = SqliteJournal(directory, SHARDS)
    try:
        return left_on(journal, meta.journal, SHARDS)
    finally:
        journal.close()


def left_on(journal: Journal, name: str, shards: int) -> list[Left]:
    """As `left_in`, of any journal of the bank."""
    return [_left(journal, name, shard, shards) for shard in range(shards)]


def _left(journal: Journal, name: str, shard: int, shards: int) -> Left:
    reader = Reader(name, shard, shards)
    core = ExecutorCore(application, Shard(name, shard, shards), Limits())
    replay = Replay(core.state, name, shard)
    entries: list[Entry] = []
    for offset, value in journal.read(shard, 0):
        verdict = reader.pass_over(offset, value)
        if isinstance(verdict, FrameTaken):
            replay.apply(offset, verdict.body, reader.epoch, reader.seq)
            index = 0
            for entry in replay.decode(verdict.body).entries:
                index += entry_indexes(entry)
                entries.append(Entry(Position(name, shard, offset, index - 1).token, entry))
    return Left(entries, core.state)

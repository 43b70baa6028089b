"""Workers as processes: started, killed, paused, and heard."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec
import psycopg
from psycopg.sql import SQL, Identifier

from shardlog.testing.services.postgresql import PostgresqlServer
from tests.services.projecting_process import Work

ROOT = Path(__file__).parents[3]
PATIENT_SECONDS = 60.0
LOOK_SECONDS = 0.01


class WorkerProcess:
    """One process. said: all lines so far."""

    def __init__(self, directory: Path, work: Work) -> None:
        self.said: list[list[str]] = []
        file = directory / f"work-{uuid.uuid4().hex[:8]}.json"
        file.write_bytes(msgspec.json.encode(work))
        self._errors = file.with_suffix(".log")
        with self._errors.open("wb") as errors:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", "tests.services.projecting_process", str(file)],
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=ROOT,
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def is_running(self) -> bool:
        return self.popen.poll() is None

    @property
    def stopped(self) -> list[tuple[str, str]]:
        """What it has stopped by, type and message."""
        return [(words[1], words[2]) for words in self.said if words[0] == "stopped"]

    @property
    def resumed(self) -> list[str]:
        """What it has gone on behind."""
        return [words[1] for words in self.said if words[0] == "resumed"]

    def wait_until(self, is_so: Callable[[], bool], what: str, within_s: float = PATIENT_SECONDS) -> None:
        """Wait for a condition while it runs."""
        wait_for(lambda: is_so() or not self.is_running, lambda: f"{what}; {self.where()}", within_s)
        assert is_so(), f"it ended before {what}; {self.where()}"

    def wait_until_serving(self) -> None:
        self.wait_until(lambda: ["serving"] in self.said, "serving")

    def send(self, what: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            self.popen.send_signal(what)

    def kill(self) -> None:
        """SIGKILL; returns when it is gone."""
        self.send(signal.SIGKILL)
        self.popen.wait(30)
        self._reader.join(30)

    def end(self) -> None:
        """SIGTERM, also to one that is paused; it ends after the transaction under way."""
        self.send(signal.SIGTERM)
        self.send(signal.SIGCONT)
        try:
            self.popen.wait(30)
            self._reader.join(30)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"it did not end within 30 s of SIGTERM; {self.where()}") from None

    def where(self) -> str:
        """What it said last, and its errors."""
        return f"{self.popen.pid} said {self.said[-3:]}: {self._errors.read_text(errors='replace')[-2000:]}"

    def _read(self) -> None:
        assert self.popen.stdout is not None
        with self.popen.stdout as lines:
            for line in lines:
                self.said.append(json.loads(line))


def wait_for(is_so: Callable[[], bool], what: Callable[[], str], within_s: float = PATIENT_SECONDS) -> None:
    """Until it is so. Raises AssertionError behind the deadline."""
    give_up = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < give_up, f"after {within_s} s still no {what()}"
        time.sleep(LOOK_SECONDS)


# -- what the server says of them --------------------------------------------------------------------------------------
_IN_A_BATCH = (
    "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'shardlog projector' AND wait_event_type = 'Lock'"
    " AND backend_xid IS NOT NULL"
)


def waiting_in_a_batch(url: str) -> int:
    """How many workers' transactions have written something, their checkpoints first, and wait for a row now."""
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute(_IN_A_BATCH).fetchone()
    assert found is not None
    return int(found[0])


def read_to(url: str, schema: str, version: int = 1) -> dict[int, int]:
    """By shard, where the checkpoints stand; empty where there is no such table yet."""
    query = SQL("SELECT shard, next FROM {} WHERE version = %s").format(Identifier(schema, "shardlog_checkpoints"))
    with psycopg.connect(url, autocommit=True) as connection:
        try:
            return {int(shard): int(next) for shard, next in connection.execute(query, (version,))}
        except psycopg.errors.UndefinedTable:
            return {}


def end_postmaster(server: PostgresqlServer, how: signal.Signals) -> None:
    """SIGQUIT is what `pg_ctl stop -m immediate` sends."""
    lines = (server.folder / "data" / "postmaster.pid").read_text().split("\n")
    os.kill(int(lines[0]), how)
    wait_for(lambda: not server.is_running, lambda: f"end of {server.name}")

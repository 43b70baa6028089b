"""Starting, watching and ending projection workers, and comparing what they leave with a fresh rebuild."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from psycopg.sql import SQL, Identifier

from shardlog.adapters.postgresql import PostgresqlProjectionStore
from shardlog.adapters.sqlite.journal import SqliteJournal
from shardlog.projector.runner import Projector
from tests.services.processes import ROOT
from tests.services.projection_worker import LEASE_MS, SHARDS, worker_application
from tests.unit.projector.bank import Deposited, Opened
from tests.unit.projector.log import JOURNAL, LogWriter

SECONDS = 60.0
PROJECTIONS = ("balances", "gated")
TABLES = ("balances", "totals", "tallies")
ACCOUNTS = 40


class Shown(NamedTuple):
    """What a worker says of a projection."""

    shards: list[int]
    read: int
    end: int
    moved: int


class WorkerProcess:
    """One worker; a thread keeps what it said last."""

    def __init__(self, directory: Path, url: str, schema: str, number: int, lease_ms: int, version: int) -> None:
        self.gate = directory / f"gate-{number}"
        self._said: dict[str, Any] = {}
        self.errors = directory / f"worker-{number}.log"
        with self.errors.open("w") as errors:
            self.popen = subprocess.Popen(
                [
                    *(sys.executable, "-m", "tests.services.projection_worker"),
                    *(str(directory), url, schema, str(self.gate), str(lease_ms), str(version)),
                ],
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=ROOT,
            )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def shown(self, projection: str) -> Shown:
        """What it said last; nothing where it has not said anything yet."""
        return Shown(*self._said.get(projection, ([], 0, 0, 0)))

    def shards(self) -> set[tuple[str, int]]:
        """All that it serves."""
        return {(name, shard) for name in PROJECTIONS for shard in self.shown(name).shards}

    def signal(self, number: signal.Signals) -> None:
        self.popen.send_signal(number)

    def kill(self) -> None:
        """kill -9. What it said is forgotten."""
        self.popen.kill()
        self._end()

    def finish(self) -> None:
        """SIGTERM, and wait; it must end well."""
        self.popen.terminate()
        self._end()
        assert self.popen.returncode == 0, self.errors.read_text()

    def _end(self) -> None:
        self.popen.wait(SECONDS)
        self._reader.join()
        self._said = {}

    def _read(self) -> None:
        assert self.popen.stdout is not None
        with self.popen.stdout as lines:
            for line in lines:
                with suppress(json.JSONDecodeError):  # what a kill cut off
                    self._said = json.loads(line)


class Ground:
    """A journal, a schema, and the workers that keep one in the other."""

    def __init__(self, directory: Path, url: str, schema: str) -> None:
        self.directory, self.url, self.schema = directory, url, schema
        self.workers: list[WorkerProcess] = []
        self._journal = SqliteJournal(directory, SHARDS)
        self._log = LogWriter(self._journal, SHARDS)
        self._random = random.Random(schema)
        PostgresqlProjectionStore(url, schema=schema).close()

    def work(self, workers: int = 1, lease_ms: int = LEASE_MS, version: int = 1) -> list[WorkerProcess]:
        """Start so many more."""
        more = [
            WorkerProcess(self.directory, self.url, self.schema, len(self.workers) + number, lease_ms, version)
            for number in range(workers)
        ]
        self.workers += more
        return more

    def happen(self, frames: int) -> None:
        """Append so many frames a shard, or a few less, with events of random accounts."""
        if not self._log._versions:
            self._log.happened(*[(f"a{number}", Opened(owner="ann")) for number in range(ACCOUNTS)])
        for _ in range(frames):
            ids = self._random.sample(range(ACCOUNTS), ACCOUNTS // 2)
            self._log.happened(*[(f"a{id}", Deposited(amount=self._random.randrange(1_000))) for id in ids])

    def end(self, shards: Collection[int] = range(SHARDS)) -> int:
        """Records that were appended, over these shards; the last ones may be on their way."""
        return sum(self._log._readers[shard].position for shard in shards)

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for it, while no worker ends by itself."""
        deadline = time.monotonic() + SECONDS
        while not condition():
            assert time.monotonic() < deadline, f"never: {what}; {self._told()}"
            time.sleep(0.01)

    def until_spread(self, among: list[WorkerProcess]) -> None:
        """Wait until these workers serve all shards of all projections, each the same share."""

        def is_spread() -> bool:
            held = [worker.shards() for worker in among]
            counts = [len(worker.shown(name).shards) for name in PROJECTIONS for worker in among]
            return sum(map(len, held)) == len(set().union(*held)) == SHARDS * len(PROJECTIONS) and (
                max(counts) - min(counts) <= 1
            )

        self.until(is_spread, f"shards spread over {len(among)}")

    def serving(self) -> dict[str, int]:
        """By projection, the version of the build that the views show."""
        with self.connect() as connection:
            found = connection.execute("SELECT projection, version FROM shardlog_builds WHERE state = 'serving'")
            return dict(found.fetchall())

    def until_caught_up(self) -> None:
        """Wait until the tables have what the journal holds."""
        end = self.end()
        self.until(lambda: all(self.read(name) == end for name in PROJECTIONS), "all is read")

    def read(self, projection: str, version: int = 1) -> int:
        """Records that the checkpoints of a version are behind, over all shards."""
        with self.connect() as connection:
            found = connection.execute(
                "SELECT coalesce(sum(next), 0) FROM shardlog_checkpoints WHERE projection = %s AND version = %s",
                (projection, version),
            ).fetchone()
        assert found is not None
        return int(found[0])

    def connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        """In the schema."""
        connection = psycopg.connect(self.url)
        connection.execute(SQL("SET search_path TO {}").format(Identifier(self.schema)))
        connection.commit()
        return connection

    def rows(self) -> dict[str, list[str]]:
        """All rows of all tables, as text."""
        with self.connect() as connection:
            return {
                table: [
                    str(text)
                    for (text,) in connection.execute(
                        SQL("SELECT row::text FROM {} AS row ORDER BY 1").format(Identifier(table))
                    )
                ]
                for table in TABLES
            }

    def rebuilt_rows(self) -> dict[str, list[str]]:
        """What a fresh rebuild by one worker gives, in a schema of its own."""
        fresh = Ground.__new__(Ground)
        fresh.url, fresh.schema = self.url, f"{self.schema} fresh"
        store = PostgresqlProjectionStore(self.url, schema=fresh.schema)
        application = worker_application()
        try:
            Projector(
                self._journal, JOURNAL, SHARDS, application, tuple(application.projections.values()), store
            ).drain()
            return fresh.rows()
        finally:
            store.close()
            with psycopg.connect(self.url, autocommit=True) as connection:
                connection.execute(SQL("DROP SCHEMA {} CASCADE").format(Identifier(fresh.schema)))

    def close(self) -> None:
        """Kill what still runs."""
        for worker in self.workers:
            if worker.popen.poll() is None:
                worker.kill()
        self._journal.close()

    def _told(self) -> str:
        shown = [(worker.popen.pid, [worker.shown(name) for name in PROJECTIONS]) for worker in self.workers]
        return f"{shown}; {[worker.errors.read_text()[-2_000:] for worker in self.workers]}"

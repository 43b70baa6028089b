"""The faust worker of these tests as a process: started, read, killed."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path

from sqlalchemy import create_engine, select

from tests.services.faust_process import SUMS
from tests.services.kafka_relayed import ROOT, RelayedJournal

END_SECONDS = 60.0


class FaustWorker:
    """One process. What it says is how many records each batch wrote."""

    def __init__(self, journal: RelayedJournal, database: str, folder: Path) -> None:
        self.log = folder / f"worker-{uuid.uuid4().hex[:6]}.log"
        settings = journal.settings
        given = [settings.bootstrap_servers, settings.journal, str(folder / "faust")]
        with self.log.open("wb") as errors:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", "tests.services.faust_process", *given],
                cwd=ROOT,
                env={**os.environ, "DATABASE": database},
                stdout=subprocess.PIPE,
                stderr=errors,
            )

    def read(self, batches: int) -> None:
        """Wait until so many more were written."""
        assert self.popen.stdout is not None
        for _ in range(batches):
            assert self.popen.stdout.readline(), self.log.read_text()[-3_000:]

    def ended(self) -> str:
        """Wait until it has ended by itself, which is a failure; returns what it said.

        faust-streaming sometimes gets stuck while it shuts down behind a crash: it does no more then, and is killed.
        """
        try:
            assert self.popen.wait(END_SECONDS) != 0
        except subprocess.TimeoutExpired:
            assert "Crashed reason=" in self.log.read_text(), self.log.read_text()[-3_000:]
            self.popen.kill()
        return self.log.read_text()

    def kill(self) -> None:
        """kill -9."""
        self.popen.kill()
        self.popen.wait()
        assert self.popen.stdout is not None
        self.popen.stdout.close()


def sums(database: str) -> dict[str, tuple[int, int]]:
    """By account, how many events the worker has written and what they come to."""
    engine = create_engine(database)
    try:
        with engine.connect() as connection:
            found = connection.execute(select(SUMS)).all()
    finally:
        engine.dispose()
    assert all(row.events == row.version for row in found), "an event came twice, was left out, or not in order"
    return {row.id: (row.events, row.amount) for row in found}

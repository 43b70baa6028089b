"""A projector in a process of its own, to be killed."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from sqlalchemy import Engine, event

from shardlog import put
from shardlog.adapters.sql import SqlProjectionStore
from shardlog.adapters.sqlite.journal import SqliteJournal
from shardlog.projector.runner import Projector
from shardlog.projector.worker import Limits
from tests.unit.projector.bank import Broken, Total, bank
from tests.unit.projector.log import JOURNAL

SHARDS = 4
POISON = 13


def projector(directory: Path, database: Path, frames_max: int) -> Projector:
    """A projector of which some events are poisoned: one in its handler, one in its rows."""
    broken = Broken()
    broken.raises_for = {POISON}
    broken.strange_for = {POISON + 1: put(Total(kind="x", events=2**64))}
    application, balances = bank(broken)
    journal, store = SqliteJournal(directory / "journal", SHARDS), SqlProjectionStore(database)
    return Projector(journal, JOURNAL, SHARDS, application, [balances], store, Limits(batch_frames_max=frames_max))


def main(directory: Path, statements_until_killed: int) -> None:
    """Project all there is, and be killed, as by `kill -9`, right after the database ran so many statements."""
    left = statements_until_killed

    def count(*_of_the_statement: object) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    serving = projector(directory, directory / "projections.sqlite", frames_max=3)
    event.listen(Engine, "after_cursor_execute", count)
    event.listen(Engine, "commit", count)
    serving.drain()

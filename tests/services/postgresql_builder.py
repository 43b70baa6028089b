"""A rebuild in a process of its own, to be killed."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from sqlalchemy import Engine, event

from shardlog.adapters.postgresql import PostgresqlProjectionStore
from shardlog.adapters.sqlite.journal import SqliteJournal
from shardlog.projector.runner import Projector
from shardlog.projector.worker import Limits
from tests.unit.projector.bank import bank
from tests.unit.projector.log import JOURNAL

SHARDS = 4


def main(directory: Path, url: str, schema: str, statements_until_killed: int, begins_with: str = "") -> None:
    """Go on with a rebuild, or begin one, and be killed, as by `kill -9`, after so many statements and commits.

    begins_with: they are counted from the first statement on that begins so.
    """
    left, counts = statements_until_killed, not begins_with

    def count(*of_the_statement: object) -> None:
        nonlocal left, counts
        counts = counts or any(isinstance(part, str) and part.startswith(begins_with) for part in of_the_statement)
        left -= counts
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    journal, store = SqliteJournal(directory, SHARDS), PostgresqlProjectionStore(url, schema=schema)
    application, balances = bank()
    limits = Limits(batch_frames_max=10)
    projector = Projector(journal, JOURNAL, SHARDS, application, [balances], store, limits, keeps=False)
    event.listen(Engine, "after_cursor_execute", count)
    event.listen(Engine, "commit", count)
    projector.rebuild(balances.name, goes_on=True)
    store.close()
    journal.close()

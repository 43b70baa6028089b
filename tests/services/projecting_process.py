"""A process that keeps a projection in PostgreSQL by the real wiring, to be killed, paused and cut off.

`python -m tests.services.projecting_process WORK`, WORK a file with a `Work` as JSON. Each line that it says is a list:
["serving"], ["resumed", error] where it goes on by itself behind what passes, and ["stopped", error, message].
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
from pathlib import Path

import msgspec

from shardlog.adapters.postgresql import PostgresqlProjectionStore
from shardlog.adapters.sqlite.journal import SqliteJournal
from shardlog.errors import CheckpointMoved, ShardlogError, StoreUnavailable
from shardlog.projector.worker import Limits
from shardlog.wiring.projecting import ProjectionThread
from tests.services.postgresql_faults.ledger import ROWS, SHARDS, ledger
from tests.unit.projector.log import JOURNAL

LOOK_SECONDS = 0.05
PASSING = (CheckpointMoved, StoreUnavailable)
"""What stops a projection, and is over when it is tried again."""


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker works at. rows: a name in ROWS, which row classes. trouble: as `ledger` has it."""

    journal: str
    url: str
    schema: str
    trouble: str = ""
    rows: str = "ledger"
    version: int = 1
    limits: Limits = Limits()


def say(*words: str) -> None:
    os.write(1, json.dumps(words).encode() + b"\n")


def main(work: Work) -> None:
    logging.getLogger("shardlog").setLevel(logging.CRITICAL)
    logging.getLogger("psycopg").setLevel(logging.ERROR)
    is_ending = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: is_ending.set())
    trouble = Path(work.trouble) if work.trouble else None
    application, projection = ledger(trouble, work.version, ROWS[work.rows])
    journal = SqliteJournal(Path(work.journal), SHARDS)
    store = PostgresqlProjectionStore(work.url, schema=work.schema)
    thread = ProjectionThread(journal, JOURNAL, SHARDS, application, store, work.limits)
    thread.start()
    say("serving")
    told = ""
    while not is_ending.wait(LOOK_SECONDS):
        try:
            thread.raise_error()
        except PASSING as error:
            say("resumed", type(error).__name__)
            try:
                thread.resume(projection.name)
            except ShardlogError as still:
                told = tell(still, told)
        except ShardlogError as error:
            told = tell(error, told)
    thread.stop()
    store.close()


def tell(error: ShardlogError, told: str) -> str:
    if str(error) != told:
        say("stopped", type(error).__name__, str(error))
    return str(error)


if __name__ == "__main__":
    main(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Work))

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
from contextlib import ExitStack
from pathlib import Path

import msgspec
from stamina.instrumentation import LoggingOnRetryHook, set_on_retry_hooks

from shardlog.adapters.postgresql import PostgresqlLeases, PostgresqlProjectionStore
from shardlog.adapters.sqlite.journal import SqliteJournal
from shardlog.errors import CheckpointMoved, ShardlogError, StoreUnavailable
from shardlog.projector.worker import Limits
from shardlog.wiring.projecting import ProjectionThreads
from shardlog.wiring.projection_group import ProjectionGroup, lease_names
from tests.services.postgresql_faults.ledger import ROWS, SHARDS, ledger
from tests.unit.projector.log import JOURNAL

LOOK_SECONDS = 0.05
PASSING = (CheckpointMoved, StoreUnavailable)
"""What stops a projection, and is over when it is tried again."""


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker works at.

    trouble: as `ledger` has it. rows: a name in ROWS, which row classes. is_in_group: whether shards are spread by
    leases; else it keeps all of them, whoever else does.
    """

    journal: str
    url: str
    schema: str
    trouble: str = ""
    rows: str = "ledger"
    version: int = 1
    is_in_group: bool = True
    limits: Limits = Limits()


def say(*words: str) -> None:
    os.write(1, json.dumps(words).encode() + b"\n")


def main(work: Work) -> None:
    set_on_retry_hooks([LoggingOnRetryHook])  # as the command line does; lines of this output are this module's
    for name in ("shardlog", "stamina"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    logging.getLogger("psycopg").setLevel(logging.ERROR)
    is_ending = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: is_ending.set())
    application, projection = ledger(Path(work.trouble) if work.trouble else None, work.version, ROWS[work.rows])
    with ExitStack() as closing:
        journal = SqliteJournal(Path(work.journal), SHARDS)
        closing.callback(journal.close)
        store = PostgresqlProjectionStore(work.url, schema=work.schema)
        closing.callback(store.close)
        threads = ProjectionThreads(
            journal, JOURNAL, SHARDS, application, store, work.limits, in_group=work.is_in_group
        )
        if work.is_in_group:
            leases = PostgresqlLeases(work.url, schema=work.schema)
            closing.callback(leases.close)
            group = ProjectionGroup(threads, leases, lease_names(application), SHARDS, work.limits.lease_ms)
            group.start()
            closing.callback(group.stop)
        else:
            threads.start()
            closing.callback(threads.stop)
        say("serving")
        serve(threads, projection.name, is_ending)


def serve(threads: ProjectionThreads, name: str, is_ending: threading.Event) -> None:
    """Say what stops the projection, and resume it as an operator does where it is over when it is tried again."""
    told = ""
    while not is_ending.wait(LOOK_SECONDS):
        try:
            threads.raise_error()
        except PASSING as error:
            say("resumed", type(error).__name__)
            try:
                threads.resume(name)
            except ShardlogError as still:
                told = tell(still, told)
        except ShardlogError as error:
            told = tell(error, told)


def tell(error: ShardlogError, told: str) -> str:
    if str(error) != told:
        say("stopped", type(error).__name__, str(error))
    return str(error)


if __name__ == "__main__":
    main(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Work))

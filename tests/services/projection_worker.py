"""A member of a group of projection workers in a process of its own: a SQLite journal in, PostgreSQL out.

It says on its standard output, line by line, which shards it serves and how far it is. While its gate, a file, is
there, the handler of the projection `gated` waits.
"""

from __future__ import annotations

import json
import logging
import signal
import sys
import threading
import time
from pathlib import Path

from shardlog import Application, Changes, Domain, Key, Projection, Recorded, Row, increment
from shardlog.adapters.postgresql import PostgresqlLeases, PostgresqlProjectionStore
from shardlog.adapters.sqlite.journal import SqliteJournal
from shardlog.projector.worker import Limits
from shardlog.telemetry.figures import ProjectionFigures
from shardlog.wiring.projecting import ProjectionThreads
from shardlog.wiring.projection_group import ProjectionGroup, lease_names
from tests.unit.projector.bank import Deposited, account, bank
from tests.unit.projector.log import JOURNAL

SHARDS = 8
LEASE_MS = 900
SAY_SECONDS = 0.02


class Tally(Row, name="tallies"):
    account: Key[str]
    events: int = 0
    amount: int = 0


def worker_application(gate: Path | None = None, version: int = 1) -> Application:
    """Two projections, one of which waits at its gate."""
    balances = bank(version=version)[1]
    gated = Projection("gated", rows=[Tally], version=version)

    @gated.on
    def tally(event: Deposited, recorded: Recorded) -> Changes:
        while gate is not None and gate.exists():
            time.sleep(SAY_SECONDS)
        return increment(Tally, recorded.id, events=1, amount=event.amount)

    return Application([Domain("bank", aggregates=[account])], [balances, gated])


def say(group: ProjectionGroup) -> None:
    """One line: by projection, shards, offsets read, where they end, and batches that came to nothing."""
    shown = {
        figures.name: [sorted(figures.end), sum(figures.next.values()), sum(figures.end.values()), figures.counts.moved]
        for figures in group.figures()
        if isinstance(figures, ProjectionFigures)
    }
    print(json.dumps({"member": group.member, **shown}), flush=True)


def main(directory: str, url: str, schema: str, gate: str, lease_ms: str, version: str) -> None:
    """Serve until SIGTERM."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    journal = SqliteJournal(Path(directory), SHARDS)
    store, leases = PostgresqlProjectionStore(url, schema=schema), PostgresqlLeases(url, schema=schema)
    application = worker_application(Path(gate), int(version))
    limits = Limits(batch_frames_max=1, turn_ms=0, lease_ms=int(lease_ms))  # what a handler has in hand is written next
    threads = ProjectionThreads(journal, JOURNAL, SHARDS, application, store, limits, in_group=True)
    group = ProjectionGroup(threads, leases, lease_names(application), SHARDS, limits.lease_ms)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    group.start()
    while not stop.wait(SAY_SECONDS):
        group.raise_ended()
        say(group)
    group.stop()
    leases.close()
    store.close()
    journal.close()


if __name__ == "__main__":
    main(*sys.argv[1:])

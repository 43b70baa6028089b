"""The tables' process: it keeps the projections beside the executors, on a core of its own.

It ends with its parent, however that ends, and a new one goes on from the checkpoint that stands with the rows.
"""

from __future__ import annotations

import multiprocessing
import signal
from multiprocessing.connection import wait
from multiprocessing.sharedctypes import SynchronizedArray
from multiprocessing.synchronize import Event
from pathlib import Path

import stamina

from demo.application import SHARDS, application
from shardlog.adapters.sql.store import SqlProjectionStore
from shardlog.adapters.sqlite.control import read_meta
from shardlog.adapters.sqlite.journal import SqliteJournal
from shardlog.adapters.sqlite.lock import DirectoryLock
from shardlog.errors import JournalHeld, ProjectionError
from shardlog.projector.runner import Projector

IDLE_SECONDS = 0.02
END_SECONDS = 30.0


class TablesProcess:
    """The process, and how far it has read each shard."""

    def __init__(self, directory: Path) -> None:
        context = multiprocessing.get_context("spawn")
        self._stop = context.Event()
        self._next = context.Array("q", SHARDS)
        self._process = context.Process(target=_keep, args=(str(directory), self._stop, self._next), daemon=True)

    def start(self) -> None:
        """Begin. The journal must be there."""
        self._process.start()

    def next(self) -> list[int]:
        """The offsets that it reads next, a shard each. Raises ProjectionError where it has ended."""
        if self._process.exitcode is not None:
            raise ProjectionError(
                f"the tables' process has ended with exit code {self._process.exitcode}; what it says stands above. "
                "Run again: it goes on from its checkpoint"
            )
        return list(self._next[:])

    def stop(self) -> None:
        """End it after the transaction under way."""
        self._stop.set()
        self._process.join(END_SECONDS)


def _keep(directory: str, stop: Event, position: SynchronizedArray[int]) -> None:
    """What the process does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it, and says when to end
    parent = multiprocessing.parent_process()
    assert parent is not None
    path = Path(directory)
    lock = DirectoryLock(path / "tables")
    for attempt in stamina.retry_context(on=JournalHeld, timeout=END_SECONDS, attempts=None, wait_max=0.2):
        with attempt:  # the process of a parent that was killed ends by itself, after the transaction under way
            lock.acquire()
    journal = SqliteJournal(path, SHARDS)
    store = SqlProjectionStore(path / "projections.sqlite")
    projections = tuple(application.projections.values())
    projector = Projector(journal, read_meta(path).journal, SHARDS, application, projections, store)
    while not stop.is_set() and not wait([parent.sentinel], timeout=0):
        moved = projector.step()  # raises where the one projection has stopped
        for lags in projector.lag().values():
            position[:] = [lags[shard].next for shard in range(SHARDS)]
        if not moved:
            wait([parent.sentinel], timeout=IDLE_SECONDS)
    store.close()
    journal.close()
    lock.release()

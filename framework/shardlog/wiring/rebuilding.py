"""Rebuilding a projection's tables while nobody keeps them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.adapters.sqlite.control import read_meta
from shardlog.adapters.sqlite.lock import DirectoryLock
from shardlog.errors import JournalHeld
from shardlog.model.application import Application
from shardlog.projector.runner import Projector
from shardlog.projector.worker import Limits
from shardlog.wiring.reading import open_journal
from shardlog.wiring.stores import ProjectionDatabase

LOOK_SECONDS = 0.1
TABLES_LOCK = "projections.lock"
"""Held by whoever keeps the tables of a journal on Kafka; executors of the same host may use the directory too."""


class Rebuilt(NamedTuple):
    """handled: events and rejections that the projection heard. records: of the journal. dead_letters: it has."""

    handled: int
    records: int
    dead_letters: int


def rebuild(
    directory: Path,
    application: Application,
    name: str,
    limits: Limits,
    watched: Callable[[int, int], object] = lambda done, total: None,
    kafka: KafkaSettings | None = None,
    database: ProjectionDatabase | None = None,
) -> Rebuilt:
    """Drop the projection's tables and build them again from the journal's beginning.

    It holds the directory's lock, or that of the tables alone where `kafka` names brokers: the journal is there, and
    executors and relay go on. database: where the tables are, by default beside the journal.
    watched: told records read and records in all, from another thread. Raises JournalHeld
    where a process has the lock, KeyError for no such projection, and what stops the rebuild: HandlerFailed names the
    event.
    """
    is_on_kafka = kafka is not None and bool(kafka.bootstrap_servers)
    if not is_on_kafka:
        read_meta(directory)  # where there is no journal, no lock's file is made either
    lock = tables_lock(directory) if is_on_kafka else DirectoryLock(directory)
    with open_journal(directory, kafka) as opened, _held(lock, name):
        store = (database or ProjectionDatabase(directory)).open_store()
        try:
            projections = [application.projections[name]]
            meta = opened.meta
            projector = Projector(opened.journal, meta.journal, meta.shards, application, projections, store, limits)
            with _Watch(projector, watched):
                projector.rebuild(name)
            (lags,) = projector.lag().values()
            letters = projector.dead_letters(name).letters()
            return Rebuilt(projector.handled[name], sum(lag.next for lag in lags.values()), len(letters))
        finally:
            store.close()


def tables_lock(directory: Path) -> DirectoryLock:
    """The lock of whoever keeps the tables of a journal on Kafka: a projector, or a rebuild."""
    return DirectoryLock(directory, TABLES_LOCK, "keeps the tables there")


@contextmanager
def _held(lock: DirectoryLock, name: str) -> Iterator[None]:
    try:
        lock.acquire()
    except JournalHeld as error:
        raise JournalHeld(
            f"{error}. Projection {name!r} is rebuilt while nobody serves: end that process by Ctrl-C or SIGTERM, "
            "rebuild, and start it again; or give the projection the next version=, and its tables are built beside "
            "the old ones"
        ) from error
    try:
        yield
    finally:
        lock.release()


class _Watch:
    """Tells how far a projector is, as a context, while another thread works."""

    def __init__(self, projector: Projector, watched: Callable[[int, int], object]) -> None:
        self._projector = projector
        self._watched = watched
        self._is_done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="shardlog-rebuild-watch", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._is_done.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._is_done.wait(LOOK_SECONDS):
            for lags in self._projector.lag().values():
                self._watched(sum(lag.next for lag in lags.values()), sum(lag.end for lag in lags.values()))

"""The projections' tables in a process of their own: the journal on Kafka, read into SQLite or PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from shardlog.errors import ConfigurationError
from shardlog.model.application import Application
from shardlog.telemetry.figures import ProjectionFigures
from shardlog.wiring.kafka.log import Stopped, opened
from shardlog.wiring.projecting import ProjectionThread
from shardlog.wiring.rebuilding import tables_lock
from shardlog.wiring.settings import Settings
from shardlog.wiring.stores import ProjectionDatabase

LOOK_SECONDS = 0.2


class ProjectorProcess:
    """Keeps the tables of all projections in the database of [projections]."""

    def __init__(self, settings: Settings, application: Application) -> None:
        if not application.projections:
            raise ConfigurationError("[application] names no projection, so there is nothing to keep: list them")
        self._settings = settings
        self._database = ProjectionDatabase.of(settings)
        self._application = application
        self._stop = threading.Event()
        self.thread: ProjectionThread | None = None

    def stop(self) -> None:
        """End after the transaction under way. From any thread, or a signal's handler."""
        self._stop.set()

    def figures(self) -> list[ProjectionFigures]:
        """What its projections show of themselves to metrics. From any thread."""
        return [] if self.thread is None else self.thread.figures()

    def _lock(self) -> AbstractContextManager[object]:
        """A file has one writer; in a database server the checkpoints alone decide."""
        return nullcontext() if self._database.is_shared else tables_lock(self._settings.directory)

    def run(self, announce: Callable[[str], None]) -> None:
        """Serve until `stop`. announce: called once with the journal's id. A projection that stopped waits for its
        repair, and the others go on. Raises ConfigurationError, JournalMismatch, JournalHeld and StoreFailed."""
        try:
            with opened(self._settings, self._application, self._stop) as log, self._lock():
                store = self._database.open_store()
                meta = log.meta
                thread = self.thread = ProjectionThread(
                    log.journal, meta.journal, meta.shards, self._application, store, self._settings.projector
                )
                thread.start()
                try:
                    announce(meta.journal)
                    while not self._stop.wait(LOOK_SECONDS):
                        if thread.has_ended:
                            thread.raise_error()
                finally:
                    thread.stop()
                    store.close()
        except Stopped:
            return

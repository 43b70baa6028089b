"""The projections' tables in a process of their own: the journal on Kafka, read into SQLite or PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext

from shardlog.errors import ConfigurationError, StoreUnavailable
from shardlog.model.application import Application
from shardlog.ports.projections import ProjectionStore
from shardlog.projector.outage import Outage
from shardlog.telemetry.figures import GroupFigures, ProjectionFigures
from shardlog.wiring.kafka.log import OpenLog, Stopped, opened
from shardlog.wiring.projecting import ProjectionThreads
from shardlog.wiring.projection_group import ProjectionGroup, lease_names
from shardlog.wiring.rebuilding import tables_lock
from shardlog.wiring.settings import Settings
from shardlog.wiring.stores import ProjectionDatabase

LOOK_SECONDS = 0.2
OPENING_SECONDS = 0.5
"""Between two tries to open the database of the tables."""


class ProjectorProcess:
    """Keeps the tables of all projections in the database of [projections].

    A SQLite file is kept by one process alone. In a database server, all processes that name the same schema are a
    group, and each keeps its share of the shards.
    """

    def __init__(self, settings: Settings, application: Application) -> None:
        if not application.projections:
            raise ConfigurationError("[application] names no projection, so there is nothing to keep: list them")
        self._settings = settings
        self._database = ProjectionDatabase.of(settings)
        self._application = application
        self._stop = threading.Event()
        self._outage = Outage()
        self._kept: ProjectionThreads | ProjectionGroup | None = None

    def stop(self) -> None:
        """End after the transactions under way. From any thread, or a signal's handler."""
        self._stop.set()

    def figures(self) -> list[ProjectionFigures | GroupFigures]:
        """What its projections show of themselves to metrics. From any thread."""
        return [] if self._kept is None else [*self._kept.figures()]

    def run(self, announce: Callable[[str], None]) -> None:
        """Serve until `stop`. announce: called once with the journal's id, when the tables' database has answered. A
        projection that stopped waits for its repair, and the others go on. Raises ConfigurationError, JournalMismatch,
        JournalHeld and StoreFailed."""
        try:
            with opened(self._settings, self._application, self._stop) as log, self._keeping(log) as kept:
                self._kept = kept
                kept.start()
                try:
                    announce(log.meta.journal)
                    while not self._stop.wait(LOOK_SECONDS):
                        kept.raise_ended()
                finally:
                    kept.stop()
        except Stopped:
            return

    @contextmanager
    def _keeping(self, log: OpenLog) -> Iterator[ProjectionThreads | ProjectionGroup]:
        if not self._database.has_leases:
            lock: AbstractContextManager[object] = (
                nullcontext() if self._database.is_shared else tables_lock(self._settings.directory)
            )
            with lock, closing(self._store()) as store:
                yield self._threads(log, store)
        else:
            with closing(self._store()) as store, closing(self._database.open_leases()) as leases:
                threads = self._threads(log, store, in_group=True)
                names = lease_names(self._application)
                yield ProjectionGroup(threads, leases, names, log.meta.shards, self._settings.projector.lease_ms)

    def _threads(self, log: OpenLog, store: ProjectionStore, *, in_group: bool = False) -> ProjectionThreads:
        meta, limits = log.meta, self._settings.projector
        return ProjectionThreads(
            log.journal,
            meta.journal,
            meta.shards,
            self._application,
            store,
            limits,
            apart=self._database.is_shared,
            in_group=in_group,
            outage=self._outage,
        )

    def _store(self) -> ProjectionStore:
        """The store; where it is away, it is waited for, as once it is open. Raises Stopped."""
        while True:
            try:
                store = self._database.open_store()
            except StoreUnavailable as error:
                self._outage.met(self, error)
                if self._stop.wait(OPENING_SECONDS):
                    raise Stopped from error
            else:
                self._outage.passed(self)
                return store

"""Building a projection's tables anew, beside those that serve, and switching to them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from time import sleep
from typing import NamedTuple

from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.adapters.sqlite.control import read_meta
from shardlog.adapters.sqlite.lock import DirectoryLock
from shardlog.errors import BuildRefused, JournalHeld, sentence
from shardlog.model.application import Application
from shardlog.model.projection import Projection
from shardlog.ports.builds import Builds
from shardlog.projector.choosing import serving, unfinished
from shardlog.projector.runner import Projector
from shardlog.projector.watching import LOOK_SECONDS
from shardlog.projector.worker import Limits
from shardlog.wiring.reading import open_journal
from shardlog.wiring.stores import ProjectionDatabase

WATCH_SECONDS = 0.1
TABLES_LOCK = "projections.lock"
"""Held by whoever keeps the tables of a journal on Kafka; executors of the same host may use the directory too."""


class Rebuilt(NamedTuple):
    """handled: events and rejections that the new build heard. records: of the journal. dead_letters: it has.

    build: which build serves now. dropped: which were dropped, as `NAME/VERSION/NUMBER`.
    is_paused: nobody writes its rows until it is resumed, as it was before.
    """

    handled: int
    records: int
    dead_letters: int
    build: str
    dropped: tuple[str, ...]
    is_paused: bool


class Wanted(NamedTuple):
    """How a rebuild is to go. goes_on: with the unfinished build that there is. restarts: drop that and begin again.
    drops_old: the builds of the projection that no longer serve, once the new one does."""

    goes_on: bool = False
    restarts: bool = False
    drops_old: bool = False


_AS_IT_COMES = Wanted()


def rebuild(
    directory: Path,
    application: Application,
    name: str,
    limits: Limits,
    watched: Callable[[int, int], object] = lambda done, total: None,
    kafka: KafkaSettings | None = None,
    database: ProjectionDatabase | None = None,
    wanted: Wanted = _AS_IT_COMES,
) -> Rebuilt:
    """Build the projection's tables anew from the journal's beginning, beside those that serve, and switch to them.

    Where the tables are in a database server, those who keep the old ones go on meanwhile, and no lock is taken. A
    SQLite file has one writer: the directory's lock is held, or that of the tables alone where `kafka` names brokers.
    Readers go on in either. database: where the tables are, by default beside the journal. watched: told records read
    and records in all, from another thread. Raises JournalHeld where a process has the lock, KeyError for no such
    projection, BuildRefused where another rebuild was not finished and nothing is said of it, and what stops the
    rebuild: HandlerFailed names the event. The old tables serve on then.
    """
    is_on_kafka = kafka is not None and bool(kafka.bootstrap_servers)
    if not is_on_kafka:
        read_meta(directory)  # where there is no journal, no lock's file is made either
    tables = database or ProjectionDatabase(directory)
    projection = application.projections[name]
    lock = nullcontext() if tables.is_shared else _held(directory, is_on_kafka=is_on_kafka, name=name)
    with open_journal(directory, kafka) as opened, lock, closing(tables.open_store()) as store:
        _refuse_unfinished(store.builds, projection, wanted)
        meta = opened.meta
        projector = Projector(
            opened.journal, meta.journal, meta.shards, application, [projection], store, limits, keeps=False
        )
        with _Watch(projector, watched):
            projector.rebuild(name, goes_on=wanted.goes_on)
        (lags,) = projector.lag().values()
        letters = projector.dead_letters(name)
        return Rebuilt(
            projector.handled[name],
            sum(lag.next for lag in lags.values()),
            len(letters.letters()),
            letters.build.key.label,
            _drop_old(store.builds, projection, is_shared=tables.is_shared) if wanted.drops_old else (),
            any(record.is_paused and record.key == letters.build.key for record in store.builds.records(name)),
        )


def _refuse_unfinished(builds: Builds, projection: Projection, wanted: Wanted) -> None:
    """Raises BuildRefused: another process may be at work on it, and dropping it would end that one's rebuild."""
    records = builds.records(projection.name)
    found, served = unfinished(records, projection), serving(records, projection.name)
    if found is None or served is None or wanted.goes_on or wanted.restarts:
        return
    stopped = f", stopped at {found.stopped_at}: {found.stopped.strip().removesuffix('.')}" if found.stopped else ""
    raise BuildRefused(
        f"projection {projection.name!r} has a build that is not finished, {found.key.label}, begun at {found.begun_at}"
        f"{stopped}. Where nobody works on it any more, go on with it by --resume, or drop it and begin again by "
        f"--restart. {served.key.label} serves meanwhile"
    )


def _drop_old(builds: Builds, projection: Projection, *, is_shared: bool) -> tuple[str, ...]:
    """Drop what is retired, once those who keep it have had time to look which build serves now."""
    if is_shared:
        sleep(2 * LOOK_SECONDS)
    retired = [record.key for record in builds.records(projection.name) if record.state == "retired"]
    for key in retired:
        builds.drop(key)
    return tuple(key.label for key in retired)


def tables_lock(directory: Path) -> DirectoryLock:
    """The lock of whoever keeps the tables of a journal on Kafka: a projector, or a rebuild."""
    return DirectoryLock(directory, TABLES_LOCK, "keeps the tables there")


@contextmanager
def _held(directory: Path, *, is_on_kafka: bool, name: str) -> Iterator[None]:
    lock = tables_lock(directory) if is_on_kafka else DirectoryLock(directory)
    try:
        lock.acquire()
    except JournalHeld as error:
        raise JournalHeld(
            f"{sentence(error)} A SQLite file has one writer, so projection {name!r} is rebuilt while nobody else "
            "writes: end that process by Ctrl-C or SIGTERM, rebuild, and start it again; or give the projection "
            "the next version=, and that process builds its tables beside the old ones; or keep them in PostgreSQL"
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
        while not self._is_done.wait(WATCH_SECONDS):
            for lags in self._projector.rebuild_lag().values():
                self._watched(sum(lag.next for lag in lags.values()), sum(lag.end for lag in lags.values()))

"""The thread that keeps the projections of an embedded engine, and what an operator does beside it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from shardlog.errors import ShardlogError
from shardlog.model.application import Application
from shardlog.model.recorded import Position
from shardlog.ports.journal import Journal
from shardlog.ports.projections import DeadLetter, ProjectionStore
from shardlog.projector.runner import Projector
from shardlog.projector.worker import Limits
from shardlog.telemetry.fields import Fields
from shardlog.telemetry.figures import ProjectionFigures

IDLE_SECONDS = 0.02
log = logging.getLogger("shardlog.projector")


class ProjectionThread:
    """Steps a projector until it is stopped. A projection that cannot go on stops; the thread waits for its repair.

    limits: the projector's. error: why nothing moves at present: the journal cannot be asked for its ends, or the
    thread has ended (`has_ended`) by a fault that nobody expected; None otherwise. What is wrong with one projection
    stands in `stopped`. The methods that take a projection's name wait for the batch under way, and no batch is begun
    meanwhile; they raise KeyError for a name that is not served.
    """

    def __init__(
        self,
        journal: Journal,
        journal_id: str,
        shards: int,
        application: Application,
        store: ProjectionStore,
        limits: Limits | None = None,
    ) -> None:
        self.error: Exception | None = None
        self._journal_id = journal_id
        self._projector = Projector(
            journal, journal_id, shards, application, tuple(application.projections.values()), store, limits
        )
        self._told: dict[str, ShardlogError] = {}
        self.has_ended = False
        self._is_stopping = threading.Event()
        self._next = threading.Lock()
        self._turn = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="shardlog-projector", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the transaction under way."""
        self._is_stopping.set()
        self._thread.join()

    def lag(self) -> int:
        """Records that the slowest projection has still to read, over all shards."""
        return self._projector.behind()

    def figures(self) -> list[ProjectionFigures]:
        """What each projection shows of itself to metrics. It waits for nothing."""
        return self._projector.figures()

    # -- what an operator does -----------------------------------------------------------------------------------------
    @contextmanager
    def paused(self) -> Iterator[Projector]:
        """The projector between two batches. The other methods take the same turn: don't call them inside."""
        with self._next:  # whoever waits for the turn holds it, so that a busy thread cannot take turn after turn
            self._turn.acquire()
        try:
            yield self._projector
        finally:
            self._turn.release()

    def dead_letters(self, projection: str, *, include_skipped: bool = False) -> list[DeadLetter]:
        """A projection's open dead letters, by stream in order."""
        with self.paused() as projector:
            return projector.dead_letters(projection).letters(include_skipped=include_skipped)

    def retry(self, projection: str, category: str, id: str) -> int:
        """Work through a stream's dead letters in order. Returns how many were handled.

        Raises HandlerFailed at the first that fails again; it and those behind it stay.
        """
        with self.paused() as projector:
            return projector.dead_letters(projection).retry(category, id)

    def skip(self, projection: str, position: Position) -> None:
        """Drop a stream's first dead letter for good; those behind it wait for `retry`.

        Raises ProjectionError where there is none at this position, or another one of its stream comes first.
        """
        with self.paused() as projector:
            projector.dead_letters(projection).skip(position)

    def rebuild(self, projection: str) -> None:
        """Build a projection's tables again from the beginning of the journal; a stopped one goes on behind it.

        The other projections wait meanwhile. Raises what stops it again: HandlerFailed names the event.
        """
        with self.paused() as projector:
            self._refuse_ended()
            projector.rebuild(projection)

    def resume(self, projection: str) -> None:
        """Let a stopped projection go on from its checkpoint, when what stopped it is repaired.

        Raises what is still wrong with its tables or checkpoint; nothing happens to one that has not stopped.
        """
        with self.paused() as projector:
            self._refuse_ended()
            projector.resume(projection)

    # -- waiting -------------------------------------------------------------------------------------------------------
    def raise_error(self) -> None:
        """Raise what stopped a projection, if anything has; the others go on."""
        if self.error is not None:
            raise self.error
        for error in self._projector.stopped.values():
            raise error

    def wait_until_caught_up(self, timeout_s: float) -> None:
        """Wait until every projection has what the journal holds now. Raises TimeoutError, or what stopped them."""
        deadline = time.monotonic() + timeout_s
        while self.lag():
            self.raise_error()
            if time.monotonic() > deadline:
                raise TimeoutError(f"the projections are {self.lag()} records behind after {timeout_s} s")
            time.sleep(0.005)
        self.raise_error()

    # -- the thread ----------------------------------------------------------------------------------------------------
    def _run(self) -> None:
        try:
            while not self._is_stopping.is_set():
                if not self._step():
                    self._is_stopping.wait(IDLE_SECONDS)
        except Exception as error:
            self.has_ended, self.error = True, error
            log.exception(
                "the projector has ended by an error that nobody expected, and no projection goes on: report it with "
                "this traceback, and restart the engine",
                extra={"journal": self._journal_id},
            )

    def _step(self) -> int:
        """One batch. Returns how many records were read; 0 too where nothing can be done until somebody repairs it."""
        with self.paused() as projector:
            try:
                read, error = projector.step(), None
            except ShardlogError as raised:
                read, error = 0, raised
            stopped = projector.stopped
            self._tell(stopped)
            self._tell_fault(None if error in stopped.values() else error)
        return read

    def _tell(self, stopped: Mapping[str, ShardlogError]) -> None:
        """Log each projection that has stopped, once."""
        for name, error in stopped.items():
            if self._told.get(name) is not error:
                about: Fields = {"journal": self._journal_id, "projection": name}
                log.error(
                    "projection %s has stopped; repair it, then resume or rebuild it: %s", name, error, extra=about
                )
        self._told = dict(stopped)

    def _tell_fault(self, error: ShardlogError | None) -> None:
        """Keep what holds all projections up, and log it once; it is tried again with every step."""
        if error is not None and str(error) != str(self.error):
            log.error("no projection goes on: %s", error, extra={"journal": self._journal_id})
        self.error = error

    def _refuse_ended(self) -> None:
        if self.has_ended and self.error is not None:
            raise self.error

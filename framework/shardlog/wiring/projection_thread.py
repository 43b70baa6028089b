"""A thread that steps a projector: of one projection, or of all that share a file."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import inf

from shardlog.errors import ShardlogError, StoreUnavailable
from shardlog.projector.outage import Outage
from shardlog.projector.runner import Projector
from shardlog.telemetry.fields import Fields
from shardlog.telemetry.figures import ProjectionFigures
from shardlog.wiring.taken_over import TakenOver

IDLE_SECONDS = 0.02
log = logging.getLogger("shardlog.projector")


class ProjectionThread:
    """Steps a projector until it is stopped. A projection that cannot go on stops; the thread waits for its repair.

    projector: nobody else steps it. names: of its projections. taken_over: it has one, of which other processes serve
    shards too; it serves what `hold` says, and this says what stops nothing there. outage: the projector's.
    error: why nothing moves at present: the journal cannot be asked for its ends, or the thread has ended
    (`has_ended`) by a fault that nobody expected; None otherwise. What is wrong with one projection stands
    in `stopped`.
    """

    def __init__(
        self,
        names: Sequence[str],
        projector: Projector,
        journal_id: str,
        taken_over: TakenOver | None = None,
        outage: Outage | None = None,
    ) -> None:
        self._names = ", ".join(names)
        self.error: Exception | None = None
        self.has_ended = False
        self._journal_id = journal_id
        self._projector = projector
        self._taken_over = taken_over
        self._outage = outage or Outage()
        self._told: dict[str, ShardlogError] = {}
        self._held: tuple[frozenset[int] | None, float] = (None, inf)
        self._is_stopping = threading.Event()
        self._next = threading.Lock()
        self._turn = threading.Lock()
        self._thread = threading.Thread(target=self._run, name=f"shardlog-projector {self._names}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def end(self) -> None:
        """End after the transaction under way; `join` waits for it."""
        self._is_stopping.set()

    def join(self) -> None:
        """Wait until it has ended. It must have been started."""
        self._thread.join()

    def hold(self, shards: Collection[int], until_s: float) -> None:
        """Serve these shards from the next batch on, and begin none behind `until_s` of the monotonic clock."""
        self._held = frozenset(shards), until_s

    @property
    def shards(self) -> frozenset[int]:
        """The shards that it serves; one that it should leave is among them until the batch under way is written."""
        return frozenset(self._projector.shards)

    @property
    def stopped(self) -> dict[str, ShardlogError]:
        """Projections that work no more, and why; not those that only wait."""
        taken_over = self._taken_over
        found = self._projector.stopped.items()
        return {name: error for name, error in found if taken_over is None or not taken_over.passes(error)}

    def behind(self) -> int:
        """Records that its slowest projection has still to read, over all shards that it serves."""
        return self._projector.behind()

    def figures(self) -> list[ProjectionFigures]:
        """What its projections show of themselves to metrics. It waits for nothing."""
        return self._projector.figures()

    @contextmanager
    def paused(self) -> Iterator[Projector]:
        """The projector between two turns. Not inside of itself."""
        with self._next:  # whoever waits for the turn holds it, so that a busy thread cannot take turn after turn
            self._turn.acquire()
        try:
            yield self._projector
        finally:
            self._turn.release()

    def raise_error(self) -> None:
        """Raise what keeps a projection from going on, if anything does."""
        if self.error is not None:
            raise self.error
        for stopped in self.stopped.values():
            raise stopped

    def refuse_ended(self) -> None:
        """Raise what ended the thread, if it has ended by itself."""
        if self.has_ended and self.error is not None:
            raise self.error

    # -- the thread ----------------------------------------------------------------------------------------------------
    def _run(self) -> None:
        try:
            while not self._is_stopping.is_set():
                wait_s = self._turn_of_its_own()
                if wait_s:
                    self._is_stopping.wait(wait_s)
        except Exception as error:
            self.has_ended, self.error = True, error
            log.exception(
                "the projector of %s has ended by an error that nobody expected, and does not go on: report it with "
                "this traceback, and restart the process",
                self._names,
                extra={"journal": self._journal_id},
            )

    def _turn_of_its_own(self) -> float:
        """What the projector writes in one turn. Returns for how long nothing can be done, in seconds."""
        with self.paused() as projector:
            shards, until_s = self._held
            if shards is not None and shards != frozenset(projector.shards):
                projector.assign(shards)
                if self._taken_over is not None:
                    self._taken_over.serves(shards)
            if time.monotonic() >= until_s:
                return IDLE_SECONDS
            return self._step(projector)

    def _goes_on(self) -> bool:
        """Whether a turn under way may begin another batch: nobody waits for it, and the shards are still its own."""
        shards, until_s = self._held
        is_held = shards is None or shards == frozenset(self._projector.shards)
        return is_held and time.monotonic() < until_s and not (self._is_stopping.is_set() or self._next.locked())

    def _step(self, projector: Projector) -> float:
        try:
            read, error = projector.step(self._goes_on), None
        except ShardlogError as raised:
            read, error = 0, raised
        stopped = projector.stopped
        for name, stop in stopped.items():
            if isinstance(stop, StoreUnavailable):
                self._outage.met(name, stop)
        if self._taken_over is not None:
            for stop in stopped.values():
                wait_s = self._taken_over.goes_on(projector, stop)
                if wait_s is not None:
                    return wait_s
            if not stopped:
                self._taken_over.went_on()
        self._tell(stopped)
        self._tell_fault(None if error in stopped.values() else error)
        return 0.0 if read else IDLE_SECONDS

    def _tell(self, stopped: Mapping[str, ShardlogError]) -> None:
        """Log each projection that has stopped, once; where its store stays away, that is told as an outage."""
        for name, error in stopped.items():
            if self._told.get(name) is not error and not isinstance(error, StoreUnavailable):
                about: Fields = {"journal": self._journal_id, "projection": name}
                log.error(
                    "projection %s has stopped; repair it, then resume or rebuild it: %s", name, error, extra=about
                )
        self._told = dict(stopped)

    def _tell_fault(self, error: ShardlogError | None) -> None:
        """Keep what holds all projections up, and log it once; it is tried again with every step."""
        if error is not None and str(error) != str(self.error):
            log.error("%s: nothing goes on: %s", self._names, error, extra={"journal": self._journal_id})
        self.error = error

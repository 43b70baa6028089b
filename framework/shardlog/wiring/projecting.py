"""The projections of a process and their threads: one each, or one for all that share a file."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from shardlog.errors import ShardlogError
from shardlog.model.application import Application
from shardlog.model.projection import Projection
from shardlog.model.recorded import Position
from shardlog.ports.journal import Journal
from shardlog.ports.projections import DeadLetter, ProjectionStore
from shardlog.projector.outage import Outage
from shardlog.projector.runner import Projector, refuse_shared_tables
from shardlog.projector.shared_frames import SharedFrames
from shardlog.projector.worker import Limits
from shardlog.telemetry.figures import ProjectionFigures
from shardlog.wiring.projection_thread import ProjectionThread
from shardlog.wiring.rebuilding_beside import rebuild_beside
from shardlog.wiring.taken_over import TakenOver


class ProjectionThreads:
    """Keeps all projections of an application until it is stopped.

    limits: of each projector. apart: each has a thread of its own, so that a slow one holds up no other; a frame is
    decoded once for those that keep pace. Else they share one, which in a file with one writer at a time is faster.
    in_group: apart, and each serves the shards that it is told to hold, at first none. outage: of the store, as others
    of this process see it.
    error: why a projection does not move at present: the journal cannot be asked for its ends, or its thread has ended
    (`has_ended`) by a fault that nobody expected; None otherwise. What is wrong with one projection stands in
    `stopped`. The methods that take a projection's name wait for its batch under way, and none is begun meanwhile; they
    raise KeyError for a name that is not served. Making it raises as making a Projector.
    """

    def __init__(
        self,
        journal: Journal,
        journal_id: str,
        shards: int,
        application: Application,
        store: ProjectionStore,
        limits: Limits | None = None,
        *,
        apart: bool = False,
        in_group: bool = False,
        outage: Outage | None = None,
    ) -> None:
        self.outage = outage or Outage()
        all_of_them = tuple(application.projections.values())
        refuse_shared_tables(all_of_them)
        is_apart = apart or in_group
        shared = SharedFrames(application, all_of_them, journal_id) if is_apart else None

        def thread(projections: Sequence[Projection]) -> ProjectionThread:
            taken_over = TakenOver(projections[0].name, journal_id) if in_group else None
            projector = Projector(
                journal,
                journal_id,
                shards,
                application,
                projections,
                store,
                limits,
                serves=() if in_group else None,
                shared=shared,
                passes=taken_over.passes if taken_over else lambda _: False,
                outage=self.outage,
            )
            names = [one.name for one in projections]
            return ProjectionThread(names, projector, journal_id, taken_over, self.outage)

        if is_apart:
            self.threads: Mapping[str, ProjectionThread] = {one.name: thread([one]) for one in all_of_them}
        else:
            self.threads = dict.fromkeys(application.projections, thread(all_of_them))
        self._once = tuple(dict.fromkeys(self.threads.values()))

    def start(self) -> None:
        """Begin."""
        for thread in self._once:
            thread.start()

    def stop(self) -> None:
        """End after the transactions under way."""
        for thread in self._once:
            thread.end()
        for thread in self._once:
            thread.join()

    def lag(self) -> int:
        """Records that the slowest projection has still to read, over all shards."""
        return max((thread.behind() for thread in self._once), default=0)

    def figures(self) -> list[ProjectionFigures]:
        """What each projection shows of itself to metrics. It waits for nothing."""
        return [figures for thread in self._once for figures in thread.figures()]

    @property
    def error(self) -> Exception | None:
        """Why some projection does not move at present, though it has not stopped."""
        return next((thread.error for thread in self._once if thread.error is not None), None)

    @property
    def has_ended(self) -> bool:
        """Whether some projection's thread has ended by a fault that nobody expected."""
        return any(thread.has_ended for thread in self._once)

    @property
    def stopped(self) -> Mapping[str, ShardlogError]:
        """Projections that work no more, and why. The others go on without them. It waits for nothing."""
        return {name: error for thread in self._once for name, error in thread.stopped.items()}

    # -- what an operator does -----------------------------------------------------------------------------------------
    @contextmanager
    def paused(self, projection: str) -> Iterator[Projector]:
        """A projection's projector between two turns. The other methods take the same turn: don't call them inside.

        Projections of other threads go on.
        """
        with self._of(projection).paused() as projector:
            yield projector

    def dead_letters(self, projection: str, *, include_skipped: bool = False) -> list[DeadLetter]:
        """A projection's open dead letters, by stream in order."""
        with self.paused(projection) as projector:
            return projector.dead_letters(projection).letters(include_skipped=include_skipped)

    def retry(self, projection: str, category: str, id: str) -> int:
        """Work through a stream's dead letters in order. Returns how many were handled.

        Raises HandlerFailed at the first that fails again; it and those behind it stay.
        """
        with self.paused(projection) as projector:
            return projector.dead_letters(projection).retry(category, id)

    def skip(self, projection: str, position: Position) -> None:
        """Drop a stream's first dead letter for good; those behind it wait for `retry`.

        Raises ProjectionError where there is none at this position, or another one of its stream comes first.
        """
        with self.paused(projection) as projector:
            projector.dead_letters(projection).skip(position)

    def rebuild(self, projection: str) -> None:
        """Build a projection's tables anew from the beginning of the journal, and return when the views show them.

        All projections go on meanwhile. Raises what stops the new build, HandlerFailed names the event, and what keeps
        the views from switching; the old tables serve on then.
        """
        rebuild_beside(lambda: self._alive(projection), projection)

    @contextmanager
    def _alive(self, projection: str) -> Iterator[Projector]:
        with self.paused(projection) as projector:
            self._of(projection).refuse_ended()
            yield projector

    def resume(self, projection: str) -> None:
        """Let a stopped projection go on from its checkpoint, when what stopped it is repaired.

        Raises what is still wrong with its tables or checkpoint; nothing happens to one that has not stopped.
        """
        with self.paused(projection) as projector:
            self._of(projection).refuse_ended()
            projector.resume(projection)

    # -- waiting -------------------------------------------------------------------------------------------------------
    def raise_error(self) -> None:
        """Raise what keeps a projection from going on, if anything does; the others go on."""
        for thread in self._once:
            thread.raise_error()

    def raise_ended(self) -> None:
        """Raise the fault that nobody expected, if one has ended a projection's thread."""
        for thread in self._once:
            thread.refuse_ended()

    def wait_until_caught_up(self, timeout_s: float) -> None:
        """Wait until every projection has what the journal holds now. Raises TimeoutError, or what stopped them."""
        deadline = time.monotonic() + timeout_s
        while self.lag():
            self.raise_error()
            if time.monotonic() > deadline:
                raise TimeoutError(f"the projections are {self.lag()} records behind after {timeout_s} s")
            time.sleep(0.005)
        self.raise_error()

    def _of(self, projection: str) -> ProjectionThread:
        if projection not in self.threads:
            raise KeyError(f"projection {projection!r} is not served here: there are {sorted(self.threads)}")
        return self.threads[projection]

"""The projector: reads what is in the log, decodes it once, and lets every projection write its rows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from threading import Event as StopEvent
from time import monotonic, sleep
from typing import NamedTuple, cast

from msgspec.structs import replace

from shardlog.errors import (
    ConfigurationError,
    ShardlogError,
    StoreUnavailable,
)
from shardlog.model.application import Application
from shardlog.model.projection import Projection
from shardlog.model.rows import table_name
from shardlog.ports.builds import Build
from shardlog.ports.journal import Journal
from shardlog.ports.projections import ProjectionStore
from shardlog.projector.ages import now_us
from shardlog.projector.batches import Batches, GoesOn, always, never
from shardlog.projector.core import Source, check, next_offset, next_offsets
from shardlog.projector.cut import Cut
from shardlog.projector.dead_letters import DeadLetters
from shardlog.projector.draft import Listener
from shardlog.projector.outage import Outage
from shardlog.projector.passing_over import pass_over_by_hand, passage
from shardlog.projector.row_owners import RowOwners
from shardlog.projector.shared_frames import SharedFrames
from shardlog.projector.watching import BuildWatch
from shardlog.projector.worker import Limits, Worker
from shardlog.telemetry.figures import ProjectionFigures

IDLE_SECONDS = 0.02


class Lag(NamedTuple):
    """How far a projection is behind in one shard, in records: it has read up to `next`, and the log ends at `end`."""

    next: int
    end: int


class Projector:
    """Serves projections from one journal. It has no thread: call `step`, `drain` or `run` from one at a time.

    journal_id, shards: as the journal's meta record says. application: knows all event classes of the journal.
    projections: each has its own checkpoints, transactions and failures; the build that its code keeps is begun where
    there is none. check_rows: refuse a row written from two routing keys (for tests; remembers every row). keeps: False
    for one that only rebuilds, while others keep what serves. now_s: a clock that does not go back, in seconds.
    serves: the shards to begin with, None for all; see `assign`. shared: with projectors of other threads. passes: for
    which errors a projection that has stopped is let go on (`go_on`), so that its build's record does not name them.
    cut: what projections hear of the journal, None for all. outage: of the store, shared with others who write there.

    Making one raises ConfigurationError where two projections keep one table, and JournalError where the journal
    cannot be asked for its ends. What is stored of one projection and does not fit (TableMismatch, Diverged) stops that
    projection alone: see `stopped`.
    """

    def __init__(
        self,
        journal: Journal,
        journal_id: str,
        shards: int,
        application: Application,
        projections: Sequence[Projection],
        store: ProjectionStore,
        limits: Limits | None = None,
        *,
        check_rows: bool = False,
        keeps: bool = True,
        now_s: Callable[[], float] = monotonic,
        serves: Collection[int] | None = None,
        shared: SharedFrames | None = None,
        passes: Callable[[ShardlogError], bool] = lambda _: False,
        cut: Cut | None = None,
        outage: Outage | None = None,
    ) -> None:
        self._journal = journal
        self._source = Source(journal_id, shards)
        self._serves = tuple(range(shards)) if serves is None else tuple(sorted(set(serves)))
        self._application = application
        self._store = store
        self._limits = limits or Limits()
        self._passes = passes
        reads = (journal, self._source, application, self._limits, shared, cut)
        self._batches = Batches(*reads, writes_beside=store.waits_for_server)
        self._beside = Batches(*reads, writes_beside=store.waits_for_server)
        self._outage = outage or Outage()
        self._watch = BuildWatch(journal, self._source, application, store, now_s, self._outage)
        self._checks_rows = check_rows
        refuse_shared_tables(projections)
        self._workers: list[Worker] = []
        self._builders: dict[str, Worker] = {}
        self._known_ends = self._ends()
        for projection in projections:
            worker = self._make_worker(projection)
            self._workers.append(worker)
            if keeps:
                self._open(worker)

    @property
    def shards(self) -> tuple[int, ...]:
        """The shards that it serves, in order."""
        return self._serves

    def assign(self, shards: Collection[int]) -> None:
        """Serve these shards from the next step on, each from its stored checkpoint, and no others.

        A projection whose checkpoints cannot be loaded stops.
        """
        serves = tuple(sorted(set(shards)))
        for shard in set(self._serves) - set(serves):
            self._batches.close(shard)
        self._serves = serves
        for worker in (*self._workers, *self._builders.values()):
            worker.shards = serves
            try:
                if worker.build is not None:
                    self._load_anew(worker)
            except ShardlogError as error:
                worker.checkpoints = {s: held for s, held in worker.checkpoints.items() if s in serves}
                worker.stopped = worker.stopped or error

    @property
    def stopped(self) -> Mapping[str, ShardlogError]:
        """Projections that work no more, and why. The others go on without them."""
        return {worker.name: worker.stopped for worker in self._workers if worker.stopped is not None}

    @property
    def handled(self) -> Mapping[str, int]:
        """Events and rejections that each projection has heard since this projector was made."""
        return {worker.name: worker.handled for worker in self._workers}

    def step(self, goes_on: GoesOn = always) -> int:
        """Write a batch of what is there now, or several where `Limits.turn_ms` lets it.

        goes_on: whether another batch may begin. Returns how many records were read; 0 where there is nothing new.

        Raises the first projection's error once all of them are stopped.
        """
        ends = self._known_ends = self._ends()
        self._watch.look(self._workers, self._builders)
        for worker in (*self._workers, *self._builders.values()):
            worker.ages.look(next_offsets(worker.checkpoints), ends, now_us())
        groups = self._groups()
        goes_on_so = _while(goes_on, self._watch) if len(groups) == 1 else never  # nobody waits long for another
        read = sum(self._batches.write_next(group, ends, goes_on_so) for group in groups)
        read += sum(self._beside.write_next([one], ends, never) for one in self._builders.values() if one.is_working)
        for worker in (*self._workers, *self._builders.values()):
            self._conclude(worker, ends)
        if self._workers and all(worker.stopped is not None for worker in self._workers):
            raise cast("ShardlogError", self._workers[0].stopped)
        return read

    def drain(self) -> int:
        """Step until all that stands in the log is written. Returns how many records were read. Raises as `step`."""
        total = 0
        while read := self.step():
            total += read
        return total

    def run(self, stop: StopEvent, idle_ms: int = 50) -> None:
        """Step until `stop` is set, and wait `idle_ms` where there is nothing new. Raises as `step`."""
        while not stop.is_set():
            if self.step(lambda: not stop.is_set()) == 0:
                stop.wait(idle_ms / 1000)

    def lag(self) -> dict[str, dict[int, Lag]]:
        """By projection and shard, how far it has read and where the log ends."""
        return self._lags(self._workers)

    def rebuild_lag(self) -> dict[str, dict[int, Lag]]:
        """By projection that is rebuilt, and shard, how far the new build has read and where the log ends."""
        return self._lags(list(self._builders.values()))

    def figures(self) -> list[ProjectionFigures]:
        """What each projection shows of itself to metrics.

        From any thread, and without I/O: ends are those of the last look.
        """
        ends = self._known_ends
        builders = dict(self._builders)
        return [
            replace(figures, building={**figures.building, **builders[figures.name].progress(ends)})
            if figures.name in builders
            else figures
            for figures in (worker.figures(ends, now_us()) for worker in self._workers)
        ]

    def behind(self) -> int:
        """How many records the slowest projection has still to read, over all shards, stopped ones included.

        A build that has read all, and that the views do not show yet, counts as one record behind.
        """
        unseen = any(worker.state == "building" for worker in self._workers)
        lags = self.lag().values()
        return max((sum(lag.end - lag.next for lag in shards.values()) for shards in lags), default=0) or int(unseen)

    def begin_rebuild(self, name: str, *, goes_on: bool = False) -> None:
        """Begin to build a projection's tables anew, beside those that serve: every `step` builds on.

        When it has caught up, the views switch to it and the old build is retired. What is a dead letter stays one;
        anything else that fails stops the new build, and the old one serves on: see `rebuilding`, and `resume`.
        goes_on: with a build that was begun and not finished, where there is one; else that is dropped. Raises
        TableMismatch for a table that is another projection's, HistoryMissing where the journal has no beginning any
        more, and KeyError for a name that is not served.
        """
        builder = self._make_worker(self._worker(name).listener.projection)
        self._watch.begin(builder, goes_on=goes_on)
        self._builders[name] = builder

    @property
    def rebuilding(self) -> Mapping[str, ShardlogError | None]:
        """Projections that are rebuilt, and what has stopped it, or keeps the views from switching."""
        return {name: builder.stopped or builder.refused for name, builder in self._builders.items()}

    def rebuild(self, name: str, *, goes_on: bool = False) -> None:
        """Build a projection's tables anew, beside those that serve, until the views have switched.

        Raises as `begin_rebuild`, what stops the new build (HandlerFailed names the event), BuildRefused where the
        views cannot switch, and StoreUnavailable where the store stays away.
        """
        self.begin_rebuild(name, goes_on=goes_on)
        builder = self._builders[name]
        refused_s = None
        while self._builders.get(name) is builder:
            ends = self._ends()
            self._watch.look((), {name: builder})
            read = self._beside.write_next([builder], ends) if builder.is_working else 0
            self._conclude(builder, ends)
            if builder.stopped is not None:
                raise builder.stopped
            if builder.refused is not None:
                refused_s = refused_s or monotonic()
                has_patience = monotonic() - refused_s < self._limits.write_deadline_s
                if not has_patience or not isinstance(builder.refused, StoreUnavailable):
                    raise builder.refused
            if not read and self._builders.get(name) is builder:
                sleep(IDLE_SECONDS)

    def resume(self, name: str) -> None:
        """Let a stopped projection, or its rebuild, go on from its stored checkpoint; else nothing happens.

        Raises what is still wrong with its tables or checkpoint, and then it stays stopped. Raises KeyError for a name
        that is not served.
        """
        for worker in (self._worker(name), self._builders.get(name)):
            if worker is not None and worker.stopped is not None:
                try:
                    self._watch.resume(worker)
                except ShardlogError as error:
                    worker.stopped = error
                    raise

    def overtaken(self, name: str) -> frozenset[int]:
        """Shards that another process had moved when this projection last found a checkpoint moved."""
        return self._worker(name).overtaken

    def go_on(self, name: str) -> None:
        """Let a stopped projection go on from its stored checkpoint, where nothing had to be repaired.

        Others that keep its build are told nothing. Raises as `resume`.
        """
        worker = self._worker(name)
        try:
            if worker.build is None:
                self._watch.open(worker)
            else:
                self._load_anew(worker)
        except ShardlogError as error:
            worker.stopped = error
            raise
        worker.stopped = None

    def pass_over(self, name: str, shard: int, before: int) -> None:
        """Let a projection go on at this offset of a shard, without what stands between: see `passage`.

        Its build's record says so from then on. Raises KeyError and as that does, and what stopped a projection that
        has no build.
        """
        worker = self._worker(name)
        build = _build_of(worker)
        about = (self._journal, self._source, self._application, self._store, build)
        pass_over_by_hand(self._store, build, passage(*about, shard, before))
        self._watch.resume(worker)

    def dead_letters(self, name: str) -> DeadLetters:
        """The dead letters of a projection's build, to list, retry and skip.

        Raises KeyError, and what stopped a projection that has no build.
        """
        return DeadLetters(self._application, _build_of(self._worker(name)), self._store)

    def _worker(self, name: str) -> Worker:
        for worker in self._workers:
            if worker.name == name:
                return worker
        raise KeyError(f"projection {name!r} is not served here: there are {[worker.name for worker in self._workers]}")

    def _ends(self) -> dict[int, int]:
        return {shard: self._journal.offsets(shard)[1] for shard in self._serves}

    def _open(self, worker: Worker) -> None:
        try:
            self._watch.open(worker)
        except ShardlogError as error:
            worker.stopped = error

    def _lags(self, workers: Sequence[Worker]) -> dict[str, dict[int, Lag]]:
        ends = self._ends()
        return {
            worker.name: {shard: Lag(next_offset(worker.checkpoints, shard), end) for shard, end in ends.items()}
            for worker in workers
        }

    def _make_worker(self, projection: Projection) -> Worker:
        owners = RowOwners(self._application, projection.name) if self._checks_rows else None
        listener = Listener(projection, self._application)
        worker = Worker(listener, self._store, self._source, self._limits, owners, self._outage)
        worker.shards = self._serves
        return worker

    def _conclude(self, worker: Worker, ends: Mapping[int, int]) -> None:
        """What follows a step: a build that has caught up is switched to, and what stopped one is noted."""
        if worker.stopped is None or not self._passes(worker.stopped):
            self._watch.note_stopped(worker)
        if worker.is_working and self._watch.switch(worker, ends) and self._builders.get(worker.name) is worker:
            del self._builders[worker.name]
            place = self._workers.index(self._worker(worker.name))
            worker.handled += self._workers[place].handled
            worker.lettered += self._workers[place].lettered
            self._workers[place] = worker

    def _load_anew(self, worker: Worker) -> None:
        """The ends are asked for behind the checkpoints, which another process may just have moved."""
        worker.load()
        ends = self._known_ends = self._ends()
        check(self._source, worker.name, worker.checkpoints, ends)

    def _groups(self) -> list[list[Worker]]:
        """Projections at the same position read and decode together."""
        kept: list[list[Worker]] = []
        for worker in self._workers:
            if worker.is_working:
                same = next((group for group in kept if group[0].checkpoints == worker.checkpoints), None)
                if same is None:
                    kept.append([worker])
                else:
                    same.append(worker)
        return kept


def _while(goes_on: GoesOn, watch: BuildWatch) -> GoesOn:
    """A turn ends, too, where builds are to be looked at, so that who pauses one or begins another is heard."""
    return lambda: goes_on() and not watch.is_due


def _build_of(worker: Worker) -> Build:
    if worker.build is None:
        raise cast("ShardlogError", worker.stopped)
    return worker.build


def refuse_shared_tables(projections: Sequence[Projection]) -> None:
    """Raises ConfigurationError where two projections keep one table."""
    owners: dict[str, Projection] = {}
    for projection in projections:
        for row in projection.rows:
            name = table_name(row)
            other = owners.setdefault(name, projection)
            if other is not projection:
                raise ConfigurationError(
                    f"projections {other.name!r} and {projection.name!r} both keep table {name!r}: give one of the "
                    "rows another name="
                )

"""A worker's build, as the store's records have it: found or begun, looked at once a second, switched to."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence

from shardlog.errors import (
    BuildBehind,
    BuildRefused,
    CheckpointMoved,
    HistoryMissing,
    ProjectionError,
    ShardlogError,
    StoreUnavailable,
)
from shardlog.model.application import Application
from shardlog.ports.builds import WAITS, Build, BuildRecord
from shardlog.ports.journal import Journal
from shardlog.ports.projections import ProjectionStore
from shardlog.projector.choosing import (
    are_other_handlers,
    kept,
    next_number,
    refuse_downgrade,
    serving,
    unfinished,
)
from shardlog.projector.core import Source, check, next_offset
from shardlog.projector.dead_letters import follow_letters
from shardlog.projector.outage import Outage
from shardlog.projector.worker import Worker
from shardlog.telemetry.fields import Fields

LOOK_SECONDS = 1.0
log = logging.getLogger("shardlog.projector")


class BuildWatch:
    """Keeps workers and the records of their builds in step. now_s: a clock that does not go back, in seconds."""

    def __init__(
        self,
        journal: Journal,
        source: Source,
        application: Application,
        store: ProjectionStore,
        now_s: Callable[[], float],
        outage: Outage,
    ) -> None:
        self._application = application
        self._journal = journal
        self._source = source
        self._store = store
        self._now_s = now_s
        self._outage = outage
        self._look_at_s = now_s() + LOOK_SECONDS
        self._ends_seen: list[Mapping[int, int]] = []

    def open(self, worker: Worker) -> None:
        """Give it the build that its code keeps, begun where there is none, and let it go on there.

        Raises what is wrong with it: TableMismatch, Diverged, HistoryMissing, BuildRefused, StoreUnavailable.
        """
        projection, builds = worker.listener.projection, self._store.builds
        records = builds.records(projection.name)
        record = kept(records, projection)
        if record is None:
            refuse_downgrade(records, projection)
            record = self._begun(worker, 1, is_first=not records)
        self._enter(worker, record)

    def begin(self, worker: Worker, *, goes_on: bool) -> None:
        """Give it a new build beside the others. goes_on: or the unfinished one that there is; else that is dropped."""
        projection, builds = worker.listener.projection, self._store.builds
        records = builds.records(projection.name)
        found = unfinished(records, projection)
        if found is None or not goes_on:
            record = self._begun(worker, next_number(records, projection), is_first=False)
            if found is not None:
                builds.drop(found.key)
            found = record
        self._enter(worker, found)

    def resume(self, worker: Worker) -> None:
        """Let a stopped one go on from its stored checkpoint. Raises what is still wrong with it."""
        if worker.build is None:
            self.open(worker)
            return
        self._store.builds.resume(worker.build.key)
        worker.attempt += 1
        self._go_on(worker)

    @property
    def is_due(self) -> bool:
        """Whether `look` has something to do now."""
        return self._now_s() >= self._look_at_s

    def look(self, workers: Sequence[Worker], builders: Mapping[str, Worker]) -> None:
        """Once a second: heed what stands in the records. builders: of rebuilds, by projection."""
        if not self.is_due:
            return
        self._look_at_s = self._now_s() + LOOK_SECONDS
        try:
            records = self._store.builds.records()
        except StoreUnavailable as error:  # what is known stays in force; a batch that cannot be written says so
            self._outage.met(self, error)
            return
        self._outage.passed(self)
        for worker in workers:
            if worker.build is not None:
                own = [record for record in records if record.key.projection == worker.name]
                self._heed(worker, kept(own, worker.listener.projection))
                self._look_at_letters(worker)
            if isinstance(worker.stopped, StoreUnavailable):
                self._try_again(worker)
        for builder in builders.values():
            key = None if builder.build is None else builder.build.key
            self._heed(builder, next((record for record in records if record.key == key), None))
        is_building = any(worker.state == "building" for worker in (*workers, *builders.values()))
        self._ends_seen = [*self._ends_seen[-1:], self._ends(range(self._source.shards))] if is_building else []

    def switch(self, worker: Worker, ends: Mapping[int, int]) -> bool:
        """Let the views show a worker's build, where it has read up to `ends`. Returns whether they show it then.

        ends: of the worker's shards, as they were before the batch that it has just written. Shards that others serve
        must have been read up to where the look before the last one found their ends. Where the views cannot switch
        now, it is tried again a second later, and `worker.refused` says why, unless the build has only to catch up.
        """
        if any(next_offset(worker.checkpoints, shard) < end for shard, end in ends.items()):
            return False
        if worker.build is None or worker.state != "building" or self._now_s() < worker.switch_at_s:
            return worker.state == "serving"
        worker.switch_at_s = self._now_s() + LOOK_SECONDS
        key = worker.build.key
        if len(ends) < self._source.shards:
            if len(self._ends_seen) < 2:
                return False
            ends = {**self._ends_seen[0], **ends}
        try:
            served = serving(self._store.builds.records(worker.name), worker.name)
            self._follow_letters(worker, worker.build, served)
            self._store.builds.switch(key, ends)
        except (BuildBehind, CheckpointMoved):  # others build the other shards, or settle the same letters
            return False
        except (BuildRefused, StoreUnavailable) as error:
            if str(error) != str(worker.refused):
                log.warning("build %s has caught up, and is not switched to yet: %s", key.label, error)
                self._note(worker, error, WAITS)
            worker.refused = error
            return False
        worker.state, worker.refused = "serving", None
        try:
            self._follow_letters(worker, worker.build, served)  # those that were settled in the meantime
        except (CheckpointMoved, StoreUnavailable) as error:
            log.warning("build %s serves; dead letters settled at that moment may be open in it: %s", key.label, error)
        log.info("projection %s: build %s serves", worker.name, key.label, extra=self._fields(worker))
        return True

    def _follow_letters(self, worker: Worker, build: Build, served: BuildRecord | None) -> None:
        """Settle dead letters that were retried or skipped, since the build began, in the one that serves.

        Those of all shards: whoever else builds may see the switch before it has a turn of its own.
        """
        if served is not None and follow_letters(self._application, self._store, build, served.key):
            worker.load()

    def note_stopped(self, worker: Worker) -> None:
        """Say in the record, once, why a worker goes on no more. Where another one has overtaken it, that goes on."""
        error = worker.stopped
        if error is not None and error is not worker.noted:
            worker.noted = error
            if isinstance(error, CheckpointMoved):
                self._look_at_s = self._now_s()  # perhaps its build was dropped, and another one serves
            else:
                self._note(worker, error)

    def _begun(self, worker: Worker, number: int, *, is_first: bool) -> BuildRecord:
        projection, shards = worker.listener.projection, range(self._source.shards)
        self._check_history({}, shards, f"projection {projection.name!r} version {projection.version} is not built")
        build = Build(projection, number)
        record = self._store.builds.begin(build, {} if is_first else self._ends(shards))
        log.info("projection %s: build %s begins", worker.name, build.key.label, extra=self._fields(worker))
        return record

    def _enter(self, worker: Worker, record: BuildRecord) -> None:
        worker.enter(record)
        self._tell_other_handlers(worker, record)
        if record.stopped:
            self._store.builds.resume(record.key)
            worker.attempt += 1
        self._go_on(worker)

    def _tell_other_handlers(self, worker: Worker, record: BuildRecord) -> None:
        """Rows that other handlers have written stay as they are, and nobody would know."""
        if are_other_handlers(record, worker.listener.projection):
            log.warning(
                "projection %s: its handlers are not those that have begun build %s, and its version is the same: what "
                "was read before stays as the earlier ones have written it. Unless only events that had failed are "
                "handled in another way, give it the next version, or run `shardlog rebuild %s`",
                worker.name,
                record.key.label,
                worker.name,
                extra=self._fields(worker),
            )

    def _go_on(self, worker: Worker) -> None:
        assert worker.build is not None
        self._store.prepare(worker.build)
        worker.load()
        ends = self._ends(worker.shards)  # asked for behind the checkpoints, which another process may just have moved
        check(self._source, worker.name, worker.checkpoints, ends)
        read = {shard: checkpoint.next for shard, checkpoint in worker.checkpoints.items()}
        self._check_history(read, worker.shards, f"build {worker.build.key.label} cannot go on")
        worker.stopped = None

    def _ends(self, shards: Collection[int]) -> dict[int, int]:
        return {shard: self._journal.offsets(shard)[1] for shard in shards}

    def _check_history(self, read: Mapping[int, int], shards: Collection[int], what: str) -> None:
        """Raises HistoryMissing where the journal, with its archive if there is one, begins behind what was read."""
        for shard in shards:
            earliest, _ = self._journal.offsets(shard)
            if read.get(shard, 0) < earliest:
                raise HistoryMissing(
                    f"{what}: shard {shard} is wanted from offset {read.get(shard, 0)}, and the journal begins at "
                    f"{earliest}. The rows of what is cut off can be built from the archive only: read journal and "
                    "archive as one (StitchedJournal), or restore the journal from a backup. What serves stays as it is"
                )

    def _heed(self, worker: Worker, record: BuildRecord | None) -> None:
        assert worker.build is not None
        try:
            if record is None:
                worker.stopped = worker.stopped or BuildRefused(
                    f"build {worker.build.key.label} was dropped: where a later version serves, end this process; "
                    "where an earlier one does, start it again, and it is built anew"
                )
            elif record.key != worker.build.key:
                self._enter(worker, record)
            else:
                worker.state, worker.is_paused = record.state, record.is_paused
                if record.attempt > worker.attempt:
                    worker.attempt = record.attempt
                    self._go_on(worker)
        except ShardlogError as error:
            worker.stopped = error

    def _look_at_letters(self, worker: Worker) -> None:
        """See what others have settled, also where nothing comes that would tell of it."""
        if not worker.is_working:
            return
        try:
            worker.look_at_letters()
        except StoreUnavailable as error:
            self._outage.met(self, error)
        except ShardlogError as error:
            worker.stopped = error

    def _try_again(self, worker: Worker) -> None:
        """Let one go on that has stopped since the store stayed away, as it answers again."""
        try:
            self.resume(worker)
        except StoreUnavailable:
            return  # it is told already as an outage, and tried again
        except ShardlogError as error:
            worker.stopped = error

    def _note(self, worker: Worker, error: ShardlogError, begins: str = "") -> None:
        if worker.build is None:
            return
        try:
            said, _, _ = str(error).partition("\n")  # who reads the tables reads this: the log has the traceback
            self._store.builds.note_stopped(worker.build.key, begins + said)
        except ProjectionError as unsaid:
            if isinstance(error, StoreUnavailable):
                return  # nothing but what is told as an outage
            log.warning("what stopped build %s is not noted: %s", worker.build.key.label, unsaid)

    def _fields(self, worker: Worker) -> Fields:
        return {"journal": self._source.journal, "projection": worker.name}

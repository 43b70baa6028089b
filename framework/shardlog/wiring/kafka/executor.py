"""One executor in a process of its own: it serves the shards that it should own, and finds out when that changes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import NamedTuple

from shardlog.adapters.filesystem.objects import FilesystemObjects
from shardlog.adapters.kafka.command_form import ReadAvro
from shardlog.adapters.kafka.commands import KafkaInput
from shardlog.adapters.kafka.control import KafkaControl
from shardlog.errors import JournalError
from shardlog.executor.clock import SystemWorld
from shardlog.executor.core import ExecutorCore
from shardlog.executor.mode import Claimant
from shardlog.executor.requests import Waiting
from shardlog.executor.runner import Executor
from shardlog.executor.shard import ShardExecutor
from shardlog.executor.state import Shard
from shardlog.journal.reader import Reader
from shardlog.journal.writer import JournalWriter
from shardlog.model.application import Application
from shardlog.ownership.announcing import Announcer
from shardlog.ownership.assignments import Assignments
from shardlog.ownership.view import owner_name
from shardlog.ports.inputs import Input
from shardlog.telemetry.figures import ShardFigures
from shardlog.wiring.build import code_digest
from shardlog.wiring.kafka.inputs import accept_gaps, kafka_inputs
from shardlog.wiring.kafka.log import OpenLog, Stopped, opened, until_there
from shardlog.wiring.kafka.owned_shards import OwnedShards
from shardlog.wiring.settings import Settings
from shardlog.wiring.snapshots_read import FOLDER
from shardlog.wiring.snapshotting import ProcessSnapshots
from shardlog.wiring.validating import Started, validate_start

TICK_SECONDS = 0.05
"""How soon it is noticed that a shard serves, or has stopped; assignments are looked at less often."""
ASKED_SECONDS = 1.0
"""How long a look at the assignments may go on once this is to stop: what they say is of no use any more."""
RELEASE_SECONDS = 2.0
"""How long it may take to say, behind the drain's deadline, that the shards are left."""


class Serving(NamedTuple):
    """Where a process is.

    shards: those that it serves now. waiting: those that it should serve, and cannot while the log does not answer or
    refuses. failed: those that wait for somebody.
    """

    owner: str
    journal: str
    shards: tuple[int, ...]
    waiting: tuple[int, ...]
    failed: tuple[int, ...]


class ExecutorProcess:
    """Shards of a journal on Kafka, claimed and served for as long as the assignments name this owner.

    ordinal: from 0; its name is `executor-ORDINAL`. read_avro: reads commands in Avro; None: they are unreadable.
    unsettled: once it has ended, by shard, how many commands it had taken whose outcome it did not learn.
    Ownership is the claim in the journal: assignments only say who should claim, and what is announced is a hint.
    """

    def __init__(
        self, settings: Settings, application: Application, ordinal: int, read_avro: ReadAvro | None = None
    ) -> None:
        self.owner = owner_name(ordinal)
        self._settings = settings
        self._application = application
        self._read_avro = read_avro
        self._build = code_digest(application)
        self._world = SystemWorld()
        self._stop = threading.Event()
        self._stopped_at: float | None = None
        self._control: KafkaControl | None = None
        self.executor: Executor | None = None
        self.unsettled: Mapping[int, int] = {}

    def stop(self) -> None:
        """Finish what was taken, release the shards, and end. From any thread, or a signal's handler.

        What waits for brokers waits no longer than `drain_deadline_ms` from here on.
        """
        if self._stopped_at is None:
            self._stopped_at = time.monotonic()
        if self._control is not None:
            self._control.end_at(time.monotonic() + ASKED_SECONDS)
        self._stop.set()

    def figures(self) -> list[ShardFigures]:
        """What its shards show of themselves to metrics. From any thread."""
        return [] if self.executor is None else self.executor.figures()

    def submit(self, shard: int, waiting: Waiting) -> None:
        """Hand a command or a read to a shard of this process. Raises KeyError for one that is not served here."""
        assert self.executor is not None
        self.executor.submit(shard, waiting)

    def run(self, announce: Callable[[Serving], None]) -> None:
        """Serve until `stop`. announce: called each time that the shards served here are others than before.

        Raises ConfigurationError and JournalMismatch, what stopped the first of its shards once all of them have
        stopped by an error that needs somebody, and JournalError where the build thread has ended.
        """
        with ExitStack() as closing:
            try:
                self._serve(closing, announce)
            except Stopped:
                return

    def _serve(self, closing: ExitStack, announce: Callable[[Serving], None]) -> None:
        settings, world = self._settings, self._world
        log = closing.enter_context(opened(settings, self._application, self._stop))
        self._control = log.control
        snapshots = ProcessSnapshots(
            FilesystemObjects(settings.directory / FOLDER), settings.snapshots, world, self._build
        )
        closing.callback(snapshots.close)
        inputs = closing.enter_context(kafka_inputs(settings, log, self._stop, self._read_avro))
        assignments = until_there(
            lambda: Assignments(log.control, log.meta, self.owner, settings.ownership.executors, world.monotonic_ms),
            self._stop,
        )
        self._validate(log, assignments.mine)
        executor = self.executor = Executor({}, recovers_beside=True)
        closing.callback(executor.stop)
        executor.start(serve_within_s=settings.recovery.serve_within_ms / 1000)
        shards = OwnedShards(
            executor,
            assignments,
            lambda number: self._shard(number, log, assignments, inputs, snapshots),
            snapshots=settings.snapshots.every_bytes > 0 or settings.snapshots.every_ms > 0,
            leave_within_ms=settings.recovery.drain_deadline_ms,
        )
        announcer = Announcer(log.control, log.meta.journal, self.owner, settings.ownership.address)
        announcer.appear("started", world.now_us())
        try:
            self._supervise(shards, assignments, announcer, announce, log.meta.journal, inputs)
        finally:
            self._end(shards, announcer, log.control)

    def _end(self, shards: OwnedShards, announcer: Announcer, control: KafkaControl) -> None:
        """Drain up to the deadline, which began with `stop`; then say that nothing is owned here any more."""
        began = time.monotonic() if self._stopped_at is None else self._stopped_at
        give_up = began + self._settings.recovery.drain_deadline_ms / 1000
        shards.end(max(give_up - time.monotonic(), 0.0))
        self.unsettled = shards.unsettled
        control.end_at(time.monotonic() + RELEASE_SECONDS)
        announcer.appear("ended", self._world.now_us())
        announcer.tell({}, alive=())

    def _validate(self, log: OpenLog, mine: Collection[int]) -> None:
        """Compare with the snapshots that are here, of the shards assigned at the start. Raises ReplayDiffers."""
        when = self._settings.recovery.validate_on_start
        if when != "never":
            started = Started(
                self._settings.directory,
                log.meta,
                log.journal,
                self._application,
                self._build,
                self._settings.kafka,
                mine,
            )
            until_there(lambda: validate_start(started, when), self._stop)

    def _supervise(
        self,
        shards: OwnedShards,
        assignments: Assignments,
        announcer: Announcer,
        announce: Callable[[Serving], None],
        journal: str,
        inputs: Sequence[KafkaInput],
    ) -> None:
        """Look, begin, leave, and say so, until `stop`."""
        look_again_ms, last = 0.0, None
        while not self._stop.is_set():
            now_ms = self._world.monotonic_ms()
            if now_ms >= look_again_ms or assignments.is_wanted:
                if assignments.refresh():
                    announcer.saw(assignments.view.owners)
                    accept_gaps(inputs, assignments.view)
                shards.settle(now_ms)
                look_again_ms = self._world.monotonic_ms() + self._settings.ownership.poll_ms
            announcer.tell(shards.owned, shards.alive)
            shards.tell_failures()
            owned, waiting, failed, mine = shards.owned, shards.waiting, shards.failed, assignments.mine
            serving = Serving(self.owner, journal, tuple(owned), waiting, tuple(failed))
            if serving != last and owned.keys() | failed.keys() | set(waiting) == mine:
                announce(serving)
                last = serving
            if failed and failed.keys() == mine:
                raise next(iter(failed.values()))
            if self.executor is not None and self.executor.has_ended:
                self.executor.raise_error()
                raise JournalError("the build thread has ended, and the log says why: restart this executor")
            self._stop.wait(min(TICK_SECONDS, self._settings.ownership.poll_ms / 1000))

    def _shard(
        self,
        number: int,
        log: OpenLog,
        assignments: Assignments,
        inputs: Sequence[Input],
        snapshots: ProcessSnapshots,
    ) -> ShardExecutor:
        settings, meta, view = self._settings, log.meta, assignments.view
        writer = JournalWriter(
            Reader(meta.journal, number, meta.shards), pending_max=settings.executor.pending_frames_max
        )
        core = ExecutorCore(self._application, Shard(meta.journal, number, meta.shards), settings.executor)
        return ShardExecutor(
            core,
            log.journal,
            writer,
            Claimant(self.owner, settings.ownership.address, view.version_of(number), self._build),
            self._world,
            inputs,
            accepted_inputs=tuple(view.inputs),
            is_assigned=partial(assignments.is_mine, number),
            snapshots=snapshots.of(self._application, core, writer),
        )

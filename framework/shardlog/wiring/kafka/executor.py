"""One executor in a process of its own: it serves the shards that it should own, and finds out when that changes."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import NamedTuple

from shardlog.adapters.filesystem.objects import FilesystemObjects
from shardlog.errors import ConfigurationError, JournalMismatch, JournalUnavailable, ShardlogError
from shardlog.executor.clock import SystemWorld
from shardlog.executor.core import ExecutorCore
from shardlog.executor.requests import Waiting
from shardlog.executor.runner import Executor
from shardlog.executor.shard import Claimant, Mode, ShardExecutor
from shardlog.executor.state import Shard
from shardlog.journal.owners import Announcement, encode_announcement, owner_key
from shardlog.journal.reader import Reader
from shardlog.journal.writer import JournalWriter
from shardlog.model.application import Application
from shardlog.ownership.view import ControlView, look, owner_name
from shardlog.ports.inputs import Input
from shardlog.wiring.build import code_digest
from shardlog.wiring.kafka.inputs import kafka_inputs
from shardlog.wiring.kafka.log import OpenLog, Stopped, opened, until_there
from shardlog.wiring.settings import Settings
from shardlog.wiring.snapshots_read import FOLDER
from shardlog.wiring.snapshotting import ProcessSnapshots

log = logging.getLogger("shardlog.executor")


class Serving(NamedTuple):
    """Where a process is. shards: those that it serves now."""

    owner: str
    journal: str
    shards: tuple[int, ...]


class ExecutorProcess:
    """Shards of a journal on Kafka, claimed and served for as long as the assignments name this owner.

    ordinal: from 0; its name is `executor-ORDINAL`. Ownership is the claim in the journal: assignments only say who
    should claim, and what is announced is a hint.
    """

    def __init__(self, settings: Settings, application: Application, ordinal: int) -> None:
        self.owner = owner_name(ordinal)
        self._settings = settings
        self._application = application
        self._world = SystemWorld()
        self._view: ControlView
        self._looked_ms = -math.inf
        self._look_now = threading.Event()
        self._announced: dict[int, int] = {}
        self._stop = threading.Event()
        self.executor: Executor | None = None

    def stop(self) -> None:
        """Finish what was taken, release the shards, and end. From any thread, or a signal's handler."""
        self._stop.set()
        self._look_now.set()

    def submit(self, shard: int, waiting: Waiting) -> None:
        """Hand a command or a read to a shard of this process. Raises KeyError for one that is not served here."""
        assert self.executor is not None
        self.executor.submit(shard, waiting)

    def run(self, announce: Callable[[Serving], None]) -> None:
        """Serve until `stop`. announce: called each time that the shards served here are others than before.

        Raises ConfigurationError, JournalMismatch, and what ended the build thread.
        """
        with ExitStack() as closing:
            try:
                opened_log = closing.enter_context(opened(self._settings, self._application, self._stop))
                self._serve(opened_log, announce, closing)
            except Stopped:
                return

    def _serve(self, opened_log: OpenLog, announce: Callable[[Serving], None], closing: ExitStack) -> None:
        build = code_digest(self._application)
        objects = FilesystemObjects(self._settings.directory / FOLDER)
        snapshots = ProcessSnapshots(objects, self._settings.snapshots, self._world, build)
        closing.callback(snapshots.close)
        executor = self.executor = Executor({})
        inputs = until_there(lambda: kafka_inputs(self._settings, opened_log), self._stop)
        for input in inputs:
            closing.callback(input.close)
        self._view = look(opened_log.control.read())
        closing.callback(executor.stop)
        executor.start(serve_within_s=self._settings.recovery.serve_within_ms / 1000)
        last: tuple[int, ...] | None = None
        while not self._stop.is_set():
            self._look(opened_log)
            self._take_and_leave(executor, opened_log, inputs, snapshots, build)
            serving = tuple(self._serving(executor))
            self._announce(opened_log, executor, serving)
            if serving != last and len(serving) == len(self._mine()):
                announce(Serving(self.owner, opened_log.meta.journal, serving))
                last = serving
            self._look_now.wait(self._settings.ownership.poll_ms / 1000 if serving == last else 0.02)
            self._look_now.clear()
        executor.drain(self._settings.recovery.drain_deadline_ms / 1000)
        self._release_all(opened_log)

    # -- what it should own --------------------------------------------------------------------------------------------
    def _look(self, opened_log: OpenLog) -> None:
        """The newest assignments; the last ones that were read count while no broker answers."""
        began_ms = self._world.monotonic_ms()
        try:
            self._view = look(opened_log.control.read())
        except JournalMismatch:
            raise
        except (ConfigurationError, JournalUnavailable) as error:  # what is served does not depend on it
            log.warning("%s: the assignments of before count until it can be read again", error)
        self._looked_ms = began_ms

    def _mine(self) -> frozenset[int]:
        return self._view.shards_of(self.owner, self._settings.ownership.executors)

    def _is_mine(self, shard: int, since_ms: float) -> bool | None:
        """None where it was last looked at before that time, and is looked at now. At the end nobody looks any more."""
        if self._looked_ms < since_ms and not self._stop.is_set():
            self._look_now.set()
            return None
        return self._view.owner_of(shard, self._settings.ownership.executors) == self.owner

    def _take_and_leave(
        self, executor: Executor, opened_log: OpenLog, inputs: Sequence[Input], snapshots: ProcessSnapshots, build: str
    ) -> None:
        mine = self._mine()
        for number in sorted(mine):
            shard = executor.shard(number)
            if shard is None or (shard.mode is Mode.STOPPED and self._may_begin_again(shard)):
                executor.add(self._shard(number, opened_log, inputs, snapshots, build))
        for number in executor.modes:
            shard = executor.shard(number)
            if shard is not None and number not in mine and shard.mode is not Mode.STOPPED:
                shard.drain()

    def _may_begin_again(self, shard: ShardExecutor) -> bool:
        """Whether a stopped shard that is assigned here is begun anew: it was another's, or no broker answered."""
        return shard.error is None or isinstance(shard.error, JournalUnavailable)

    def _shard(
        self, number: int, opened_log: OpenLog, inputs: Sequence[Input], snapshots: ProcessSnapshots, build: str
    ) -> ShardExecutor:
        settings, meta = self._settings, opened_log.meta
        writer = JournalWriter(
            Reader(meta.journal, number, meta.shards), pending_max=settings.executor.pending_frames_max
        )
        core = ExecutorCore(self._application, Shard(meta.journal, number, meta.shards), settings.executor)
        return ShardExecutor(
            core,
            opened_log.journal,
            writer,
            Claimant(self.owner, settings.ownership.address, self._view.version_of(number), build),
            self._world,
            inputs,
            accepted_inputs=tuple(self._view.inputs),
            is_assigned=partial(self._is_mine, number),
            snapshots=snapshots.of(self._application, core, writer),
        )

    # -- what it says --------------------------------------------------------------------------------------------------
    def _serving(self, executor: Executor) -> list[int]:
        return [number for number, mode in executor.modes.items() if mode == Mode.SERVING.value]

    def _announce(self, opened_log: OpenLog, executor: Executor, serving: Sequence[int]) -> None:
        """New claims, and shards that were left."""
        for number in serving:
            shard = executor.shard(number)
            if shard is not None and self._announced.get(number) != shard.epoch:
                self._tell(opened_log, number, shard.epoch, self.owner, self._settings.ownership.address)
        for number in list(self._announced):
            shard = executor.shard(number)
            if shard is not None and shard.mode is Mode.STOPPED:
                self._tell(opened_log, number, self._announced[number], "", "")

    def _release_all(self, opened_log: OpenLog) -> None:
        for number, epoch in list(self._announced.items()):
            self._tell(opened_log, number, epoch, "", "")

    def _tell(self, opened_log: OpenLog, shard: int, epoch: int, owner: str, address: str) -> None:
        """Write an announcement, unless a newer one stands there; a hint that cannot be given is given later."""
        try:
            known = look(opened_log.control.read()).owners.get(shard)
            is_newer = known is not None and (known.epoch > epoch or (known.epoch == epoch and known.is_release))
            if not is_newer:
                said = Announcement(opened_log.meta.journal, shard, epoch, owner, address)
                opened_log.control.write(owner_key(shard), encode_announcement(said))
        except ShardlogError as error:
            log.warning("shard %d: it cannot be announced who owns it: %s", shard, error)
            return
        if owner:
            self._announced[shard] = epoch
        else:
            self._announced.pop(shard, None)

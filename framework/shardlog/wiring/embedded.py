"""The engine in one process: executor, journal and projections over one directory, without a server."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

from shardlog.adapters.filesystem.objects import FilesystemObjects
from shardlog.adapters.sql.relay_store import SqlRelayStore
from shardlog.adapters.sqlite.control import open_meta
from shardlog.adapters.sqlite.control_records import SqliteControl
from shardlog.adapters.sqlite.journal import SqliteJournal
from shardlog.adapters.sqlite.lock import DirectoryLock
from shardlog.errors import ConfigurationError, NotServing
from shardlog.executor.clock import SystemWorld
from shardlog.executor.core import ExecutorCore
from shardlog.executor.limits import Limits
from shardlog.executor.mode import Claimant
from shardlog.executor.requests import Waiting
from shardlog.executor.runner import Executor
from shardlog.executor.shard import ShardExecutor
from shardlog.executor.state import Shard
from shardlog.journal.reader import Reader
from shardlog.journal.writer import JournalWriter
from shardlog.model.application import Application
from shardlog.model.outcomes import CommandUnavailable
from shardlog.model.recorded import Position
from shardlog.model.stream import Stream
from shardlog.ownership.announcing import Announcer
from shardlog.ports.inputs import Input
from shardlog.ports.relay import CommandDeadLetter
from shardlog.projector.settings import ProjectionSettings
from shardlog.projector.worker import Limits as ProjectorLimits
from shardlog.relay.limits import RelayLimits
from shardlog.relay.runner import Relay
from shardlog.sharding import shard_of
from shardlog.snapshots.settings import SnapshotSettings
from shardlog.telemetry.samples import Figures
from shardlog.wiring.build import code_digest
from shardlog.wiring.calling import LocalCalls
from shardlog.wiring.loading import load_application
from shardlog.wiring.projecting import ProjectionThreads
from shardlog.wiring.relaying import RelayThread
from shardlog.wiring.settings import JournalSettings, RecoverySettings, Settings, load_settings, refuse_kafka
from shardlog.wiring.snapshotting import ProcessSnapshots, wait_for_snapshots
from shardlog.wiring.stores import ProjectionDatabase
from shardlog.wiring.validating import Started, validate_start

SHARDS = JournalSettings().shards
SNAPSHOTS = SnapshotSettings()
SNAPSHOT_SECONDS = 600.0


class Embedded(LocalCalls):
    """An application served from a directory.

    directory: holds `journal.sqlite`, a file a shard, `projections.sqlite` and `relay.sqlite`; made where it is
    missing. shards: of a new journal; an old one must have as many. inputs: feeders whose commands are executed too;
    they are read from two threads. accepted_inputs: full names of inputs that may take the place of another
    incarnation. projects: whether to keep the projections' tables. projection_settings: in which database. limits,
    projector_limits, relay_limits, recovery: the sections of the settings, by default as they are by default.
    snapshots: when shards make them, in the folder `snapshots`; None: never, and none is loaded.

    It is made to have the process for itself: once it serves, it sets garbage collection and thread switching for the
    whole interpreter (`shardlog.executor.interpreter`).

    Used as a context manager: it takes the directory's lock, recovers, serves, and drains at the end. Nothing is taken
    outside of it: before, NotServing is raised; behind it, commands are answered `unavailable`. Entering raises
    JournalHeld, JournalMismatch, ReplayFailed and other ShardlogErrors; a setting out of its range and an application
    with Personal fields are refused with ConfigurationError before anything is written.
    """

    def __init__(
        self,
        application: Application,
        directory: str | Path,
        *,
        shards: int = SHARDS,
        limits: Limits | None = None,
        inputs: Sequence[Input] = (),
        accepted_inputs: Sequence[str] = (),
        projects: bool = True,
        projection_settings: ProjectionSettings | None = None,
        projector_limits: ProjectorLimits | None = None,
        relay_limits: RelayLimits | None = None,
        recovery: RecoverySettings | None = None,
        snapshots: SnapshotSettings | None = SNAPSHOTS,
    ) -> None:
        super().__init__(SystemWorld())
        if application.holds_personal:
            raise ConfigurationError(
                "the application has Personal fields, and an embedded engine has no key store to seal them: their "
                "values would stand in the journal for all to read. Leave the fields out"
            )
        self.application = application
        self.directory = Path(directory)
        self.shards = shards
        JournalSettings(directory=str(directory), shards=shards)  # refuses what is out of its range
        _refuse_what_is_no_directory(self.directory)
        self._limits = limits or Limits()
        self._projector_limits = projector_limits
        self._relay_limits = relay_limits
        self._recovery = recovery or RecoverySettings()
        self._inputs = tuple(inputs)
        self._accepted_inputs = tuple(accepted_inputs)
        self._snapshot_settings = snapshots
        self._snapshots: ProcessSnapshots | None = None
        self._projects = projects and bool(application.projections)
        self.database = ProjectionDatabase(self.directory, projection_settings or ProjectionSettings())
        self._closing = ExitStack()
        self._executor: Executor | None = None
        self._is_closed = False

    @classmethod
    def from_settings(
        cls,
        settings: str | Path | Settings,
        *,
        inputs: Sequence[Input] = (),
        accepted_inputs: Sequence[str] = (),
        projects: bool = True,
    ) -> Embedded:
        """The engine that `shardlog.toml` and the environment describe.

        settings: the file's path, or what was read. Raises ConfigurationError and DomainError.
        """
        found = settings if isinstance(settings, Settings) else load_settings(settings)
        refuse_kafka(found, "an embedded engine serves")
        return cls(
            load_application(found.application),
            found.directory,
            shards=found.journal.shards,
            limits=found.executor,
            inputs=inputs,
            accepted_inputs=accepted_inputs,
            projects=projects,
            projection_settings=found.projections,
            projector_limits=found.projector,
            relay_limits=found.relay,
            recovery=found.recovery,
            snapshots=found.snapshots,
        )

    @property
    def executor(self) -> Executor:
        """The shards of this process. Raises NotServing before they are opened."""
        if self._executor is None:
            raise NotServing(
                f"this Embedded ({self.directory}) is not open, and nothing was done: use it inside of its `with` block"
            )
        return self._executor

    def __enter__(self) -> Embedded:
        try:
            self._open()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _open(self) -> None:
        lock = DirectoryLock(self.directory)
        lock.acquire()
        self._closing.callback(lock.release)
        parts = {a.category: a.routing_parts for a in self.application.aggregates.values()}
        self.meta = open_meta(self.directory, self.directory.name, self.shards, parts, self._world.now_us())
        self.journal = SqliteJournal(self.directory, self.shards)
        self._closing.callback(self.journal.close)
        owner = Claimant(name=f"embedded-{os.getpid()}", build=code_digest(self.application))
        if self._snapshot_settings is not None:
            objects = FilesystemObjects(self.directory / "snapshots")
            self._snapshots = ProcessSnapshots(objects, self._snapshot_settings, self._world, owner.build)
            self._closing.callback(self._snapshots.close)
            self._validate(owner.build)
        sends = self._relay()
        self._is_closed = False
        self._executor = Executor({number: self._shard(number, owner, sends) for number in range(self.shards)})
        self._closing.callback(self._executor.stop)
        self._executor.start(self._recovery.serve_within_ms / 1000)
        self._announce(owner.name)
        self._closing.callback(self._executor.drain, self._recovery.drain_deadline_ms / 1000)
        self.relay = RelayThread(sends, self.executor.wake)
        self.relay.start()
        self._closing.callback(self.relay.stop)
        if self._projects:
            store = self.database.open_store()
            self._closing.callback(store.close)
            self.projections = ProjectionThreads(
                self.journal,
                self.meta.journal,
                self.shards,
                self.application,
                store,
                self._projector_limits,
                apart=self.database.is_shared,
            )
            self.projections.start()
            self._closing.callback(self.projections.stop)

    def _announce(self, owner: str) -> None:
        """Say who serves, as on the control topic, and take it back at the end."""
        announcer = Announcer(SqliteControl(self.directory), self.meta.journal, owner, "")
        announcer.tell(self.executor.owned, alive=range(self.shards))
        self._closing.callback(announcer.tell, {}, ())

    def _validate(self, code: str) -> None:
        when = self._recovery.validate_on_start
        if when != "never":
            validate_start(Started(self.directory, self.meta, self.journal, self.application, code), when)

    def _relay(self) -> Relay:
        store = self._command_letters = SqlRelayStore(self.directory / "relay.sqlite")
        self._closing.callback(store.close)
        return Relay(
            self.journal,
            self.meta.journal,
            self.shards,
            self.application,
            store,
            lambda: self.executor.received,
            self._world.monotonic_ms,
            self._inputs,
            self._relay_limits,
        )

    def _shard(self, number: int, owner: Claimant, sends: Relay) -> ShardExecutor:
        shard = Shard(self.meta.journal, number, self.shards)
        writer = JournalWriter(
            Reader(self.meta.journal, number, self.shards), pending_max=self._limits.pending_frames_max
        )
        core = ExecutorCore(self.application, shard, self._limits)
        return ShardExecutor(
            core,
            self.journal,
            writer,
            owner,
            self._world,
            self._inputs,
            accepted_inputs=self._accepted_inputs,
            sends=sends,
            snapshots=None if self._snapshots is None else self._snapshots.of(self.application, core, writer),
        )

    def close(self) -> None:
        """Finish what was taken, then let go of everything. Idempotent."""
        try:
            self._closing.close()
        finally:
            self._is_closed = True

    def _hand_in(self, stream: Stream[Any, Any, Any], waiting: Waiting) -> None:
        if self._is_closed:
            why = f"this Embedded ({self.directory}) is closed, and nothing was done: send it to an open one"
            waiting.sink.deliver(
                [(waiting.ticket, CommandUnavailable("unavailable", why, self._limits.retry_after_ms))]
            )
        else:
            self.executor.submit(self._shard_of(stream), waiting)

    def _shard_of(self, stream: Stream[Any, Any, Any]) -> int:
        return shard_of(stream.routing_key, self.shards)

    # -- waiting -------------------------------------------------------------------------------------------------------
    def raise_errors(self) -> None:
        """Raise what stopped a shard or the projections, or keeps sends back, if anything does."""
        self.executor.raise_error()
        self.relay.raise_error()
        if self._projects:
            self.projections.raise_error()

    def snapshot(self, timeout_s: float = SNAPSHOT_SECONDS) -> None:
        """Make a snapshot of every shard, and wait; commands go on meanwhile.

        Raises SnapshotFailed, TimeoutError, and ConfigurationError where the engine was made without snapshots.
        """
        wait_for_snapshots(self.executor.snapshots(), timeout_s)

    def figures(self) -> list[Figures]:
        """What shards, projections and relay show of themselves: a source of `shardlog.telemetry.metrics`."""
        shown: list[Figures] = [*self.executor.figures(), *self.relay.figures()]
        return [*shown, *self.projections.figures()] if self._projects else shown

    def lag(self) -> int:
        """Records that the slowest projection has still to read, over all shards."""
        return self.projections.lag() if self._projects else 0

    def wait_for_sends(self, timeout_s: float = 30.0) -> None:
        """Wait until all that process managers sent is received, and all that this led to.

        Under a load that goes on it may take as long. Raises TimeoutError, or what keeps sends back.
        """
        self.relay.wait_until_received(timeout_s)

    def command_dead_letters(self, limit: int = 1_000, after: Position | None = None) -> list[CommandDeadLetter]:
        """Commands that were refused with nobody to hear of it, in the order of positions, from behind `after`."""
        return self._command_letters.dead_letters(self.meta.journal, limit, after)

    def wait_for_projections(self, timeout_s: float = 30.0) -> None:
        """Wait until every projection has what the journal holds now. Raises TimeoutError, or what stopped them."""
        if self._projects:
            self.projections.wait_until_caught_up(timeout_s)


def _refuse_what_is_no_directory(directory: Path) -> None:
    """Raises ConfigurationError where something else stands there, or on the way there."""
    for place in (directory, *directory.parents):
        if place.exists():
            if not place.is_dir():
                raise ConfigurationError(
                    f"journal setting directory is {str(directory)!r}, and {place} is a file: name a directory, which "
                    "is made where it is missing"
                )
            return

"""The engine in one process: executor, journal and projections over one directory, without a server."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar, Unpack

from shardlog.adapters.sql.store import SqlProjectionStore
from shardlog.adapters.sqlite.control import open_meta
from shardlog.adapters.sqlite.journal import SqliteJournal
from shardlog.adapters.sqlite.lock import DirectoryLock
from shardlog.errors import ConfigurationError, StreamUnreadable
from shardlog.executor.clock import SystemWorld
from shardlog.executor.core import ExecutorCore
from shardlog.executor.limits import Limits
from shardlog.executor.requests import Found, Read, Request, StreamState
from shardlog.executor.runner import Executor
from shardlog.executor.shard import Claimant, ShardExecutor
from shardlog.executor.sinks import LoopSink, ThreadSink
from shardlog.executor.state import Shard
from shardlog.journal.reader import Reader
from shardlog.journal.writer import JournalWriter
from shardlog.model.application import Application
from shardlog.model.messages import Command, State
from shardlog.model.outcomes import Outcome
from shardlog.model.stream import Stream
from shardlog.ports.inputs import Input
from shardlog.sharding import shard_of
from shardlog.wiring.build import code_digest
from shardlog.wiring.commands import CommandOptions, command_record
from shardlog.wiring.projecting import ProjectionThread

SHARDS = 4
RECOVERY_SECONDS = 600.0
DRAIN_SECONDS = 30.0
CHANNEL = "local"
log = logging.getLogger("shardlog.embedded")
C = TypeVar("C", bound=Command)
S = TypeVar("S", bound=State)


class Embedded:
    """An application served from a directory.

    directory: holds `journal.sqlite`, a file a shard, and `projections.sqlite`; made where it is missing. shards: of
    a new journal; an old one must have as many. inputs: feeders whose commands are executed too. accepted_inputs:
    full names of inputs that may take the place of another incarnation. projects: whether to keep the projections'
    tables.

    It is made to have the process for itself: once it serves, it sets garbage collection and thread switching for the
    whole interpreter (`shardlog.executor.interpreter`).

    Used as a context manager: it takes the directory's lock, recovers, serves, and drains at the end. Entering raises
    JournalHeld, JournalMismatch, ReplayFailed and other ShardlogErrors; an application with Personal fields is refused
    with ConfigurationError.
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
    ) -> None:
        if application.holds_personal:
            raise ConfigurationError(
                "the application has Personal fields, and an embedded engine has no key store to seal them: their "
                "values would stand in the journal for all to read. Leave the fields out"
            )
        for name in application.process_managers:
            log.warning(
                "process manager %s: what it sends is recorded in the journal and carried nowhere, since an embedded "
                "engine has no relay; a relay will start with the oldest",
                name,
            )
        self.application = application
        self.directory = Path(directory)
        self.shards = shards
        self._limits = limits or Limits()
        self._inputs = tuple(inputs)
        self._accepted_inputs = tuple(accepted_inputs)
        self._projects = projects and bool(application.projections)
        self._world = SystemWorld()
        self._thread_sink = ThreadSink()
        self._loop_sinks: dict[asyncio.AbstractEventLoop, LoopSink] = {}
        self._closing = ExitStack()

    def __enter__(self) -> Embedded:
        try:
            self._open()
        except BaseException:
            self._closing.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _open(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        lock = DirectoryLock(self.directory)
        lock.acquire()
        self._closing.callback(lock.release)
        parts = {a.category: a.routing_parts for a in self.application.aggregates.values()}
        self.meta = open_meta(self.directory, self.directory.name, self.shards, parts, self._world.now_us())
        self.journal = SqliteJournal(self.directory, self.shards)
        self._closing.callback(self.journal.close)
        owner = Claimant(name=f"embedded-{os.getpid()}", build=code_digest(self.application))
        self.executor = Executor({number: self._shard(number, owner) for number in range(self.shards)})
        self._closing.callback(self.executor.stop)
        self.executor.start(RECOVERY_SECONDS)
        self._closing.callback(self.executor.drain, DRAIN_SECONDS)
        if self._projects:
            store = SqlProjectionStore(self.directory / "projections.sqlite")
            self._closing.callback(store.close)
            self.projections = ProjectionThread(self.journal, self.meta.journal, self.shards, self.application, store)
            self.projections.start()
            self._closing.callback(self.projections.stop)

    def _shard(self, number: int, owner: Claimant) -> ShardExecutor:
        shard = Shard(self.meta.journal, number, self.shards)
        writer = JournalWriter(
            Reader(self.meta.journal, number, self.shards), pending_max=self._limits.pending_frames_max
        )
        core = ExecutorCore(self.application, shard, self._limits)
        return ShardExecutor(
            core, self.journal, writer, owner, self._world, self._inputs, accepted_inputs=self._accepted_inputs
        )

    def close(self) -> None:
        """Finish what was taken, then let go of everything. Idempotent."""
        self._closing.close()

    # -- commands ------------------------------------------------------------------------------------------------------
    def submit(self, stream: Stream[Any, C, Any], command: C, **options: Unpack[CommandOptions]) -> Future[Outcome]:
        """Hand in a command; the future holds its outcome once its frame is acknowledged."""
        future: Future[Outcome] = Future()
        record = command_record(stream, command, self._world.now_us(), options)
        self.executor.submit(self._shard_of(stream), Request(record, CHANNEL, self._thread_sink, future))
        return future

    def send(
        self,
        stream: Stream[Any, C, Any],
        command: C,
        *,
        timeout_s: float = 30.0,
        **options: Unpack[CommandOptions],
    ) -> Outcome:
        """`submit`, and wait. Raises TimeoutError: the outcome is unknown, send again under the same command id."""
        return self.submit(stream, command, **options).result(timeout_s)

    async def execute(self, stream: Stream[Any, C, Any], command: C, **options: Unpack[CommandOptions]) -> Outcome:
        """`submit` for callers in an event loop."""
        loop = asyncio.get_running_loop()
        sink = self._loop_sinks.get(loop)
        if sink is None:
            self._loop_sinks = {known: s for known, s in self._loop_sinks.items() if not known.is_closed()}
            sink = self._loop_sinks[loop] = LoopSink(loop)
        future: asyncio.Future[Outcome] = loop.create_future()
        record = command_record(stream, command, self._world.now_us(), options)
        self.executor.submit(self._shard_of(stream), Request(record, CHANNEL, sink, future))
        return await future

    def read(self, stream: Stream[S, Any, Any], *, timeout_s: float = 30.0) -> StreamState:
        """What the stream stands at, behind every command that was handed in before; acknowledged state.

        Raises TimeoutError, and StreamUnreadable where the shard is not served now.
        """
        future: Future[Found] = Future()
        read = Read(stream.aggregate.category, stream.id, self._thread_sink, future)
        self.executor.submit(self._shard_of(stream), read)
        found = future.result(timeout_s)
        if not isinstance(found, StreamState):
            raise StreamUnreadable(f"{stream} cannot be read: {found.message} ({found.code})")
        return found

    def _shard_of(self, stream: Stream[Any, Any, Any]) -> int:
        return shard_of(stream.routing_key, self.shards)

    # -- waiting -------------------------------------------------------------------------------------------------------
    def raise_errors(self) -> None:
        """Raise what stopped a shard or the projections, if anything has."""
        self.executor.raise_error()
        if self._projects:
            self.projections.raise_error()

    def lag(self) -> int:
        """Records that the slowest projection has still to read, over all shards."""
        return self.projections.lag() if self._projects else 0

    def wait_for_projections(self, timeout_s: float = 30.0) -> None:
        """Wait until every projection has what the journal holds now. Raises TimeoutError, or what stopped them."""
        if self._projects:
            self.projections.wait_until_caught_up(timeout_s)

"""The banking domain served over a journal on Kafka, put together of the real parts, for tests."""

from __future__ import annotations

import sqlite3
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from domain.banking import banking
from domain.banking.account import account
from projections.banking import balances
from shardlog import Application, Command, Outcome
from shardlog.adapters.kafka.control import KafkaControl
from shardlog.adapters.kafka.journal import KafkaJournal
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.adapters.kafka.topics import KafkaTopics, control_topic, journal_topic
from shardlog.adapters.sql.store import SqlProjectionStore
from shardlog.client.commands import command_record
from shardlog.executor.clock import SystemWorld
from shardlog.executor.core import ExecutorCore
from shardlog.executor.limits import Limits
from shardlog.executor.mode import Claimant
from shardlog.executor.requests import Request
from shardlog.executor.runner import Executor
from shardlog.executor.shard import ShardExecutor
from shardlog.executor.sinks import ThreadSink
from shardlog.executor.state import Shard
from shardlog.journal.control import META_KEY, Meta, decode_meta, encode_meta
from shardlog.journal.reader import Reader
from shardlog.journal.writer import JournalWriter
from shardlog.sharding import shard_of
from shardlog.wiring.projecting import ProjectionThreads

SHARDS = 2
SERVE_SECONDS = 60.0
SHORT = Limits(append_deadline_ms=2_000, claim_deadline_ms=2_000, back_off_max_ms=500)
"""So that a failure takes seconds."""
application = Application([banking], [balances])


def init(settings: KafkaSettings) -> Meta:
    """Make the topics and the meta record; idempotent."""
    KafkaTopics(settings).create([journal_topic(settings, SHARDS, SHORT.frame_bytes_max), control_topic(settings)])
    control = KafkaControl(settings)
    try:
        stored = control.read().get(META_KEY)
        if stored is not None:
            return decode_meta(stored)
        parts = {one.category: one.routing_parts or 0 for one in application.aggregates.values()}
        meta = Meta(str(uuid.uuid4()), settings.journal, time.time_ns() // 1_000, SHARDS, parts)
        control.write(META_KEY, encode_meta(meta))
        return meta
    finally:
        control.close()


class KafkaBank:
    """All shards in this process, from opening to close. is_assigned: whether it claims again when it lost a shard."""

    def __init__(
        self,
        settings: KafkaSettings,
        meta: Meta,
        name: str,
        is_assigned: Callable[[float], bool | None] = lambda _since_ms: True,
    ) -> None:
        self.meta = meta
        self.journal = KafkaJournal(settings, SHARDS)
        self._world = SystemWorld()
        self._sink = ThreadSink()
        self._closing = ExitStack()
        self._closing.callback(self.journal.close)
        self.executor = Executor({n: self._shard(n, Claimant(name), is_assigned) for n in range(SHARDS)})
        self._closing.callback(self.executor.stop)
        self.executor.start(SERVE_SECONDS)

    def _shard(self, number: int, owner: Claimant, is_assigned: Callable[[float], bool | None]) -> ShardExecutor:
        core = ExecutorCore(application, Shard(self.meta.journal, number, SHARDS), SHORT)
        writer = JournalWriter(Reader(self.meta.journal, number, SHARDS), pending_max=SHORT.pending_frames_max)
        return ShardExecutor(core, self.journal, writer, owner, self._world, is_assigned=is_assigned)

    def submit(self, id: str, command: Command, command_id: str) -> Future[Outcome]:
        """Hand in a command."""
        stream: Any = account.stream(id)
        future: Future[Outcome] = Future()
        record = command_record(stream, command, self._world.now_us(), {"command_id": command_id})
        shard = shard_of(stream.routing_key, SHARDS)
        self.executor.submit(shard, Request(record, "local", self._sink, future))
        return future

    def send(self, id: str, command: Command, command_id: str, timeout_s: float = 60.0) -> Outcome:
        """Hand it in and wait."""
        return self.submit(id, command, command_id).result(timeout_s)

    def close(self) -> None:
        """Let go of everything; nothing is drained."""
        self._closing.close()


def project(journal: KafkaJournal, meta: Meta, path: Path) -> dict[str, int]:
    """Read the journal into SQLite to its end; returns the balances of all accounts."""
    store = SqlProjectionStore(path)
    thread = ProjectionThreads(journal, meta.journal, SHARDS, application, store)
    thread.start()
    try:
        thread.wait_until_caught_up(60.0)
    finally:
        thread.stop()
        store.close()

    connection = sqlite3.connect(path)
    try:
        return dict(connection.execute("SELECT account, balance FROM account_balances").fetchall())
    finally:
        connection.close()

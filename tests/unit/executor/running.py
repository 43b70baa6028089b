"""An executor with a build thread of its own over three shards, and those who ask it."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager

from shardlog import Outcome
from shardlog.executor.clock import SystemWorld
from shardlog.executor.core import ExecutorCore
from shardlog.executor.limits import Limits
from shardlog.executor.mode import Claimant
from shardlog.executor.requests import Request
from shardlog.executor.runner import Executor
from shardlog.executor.shard import ShardExecutor
from shardlog.executor.sinks import ThreadSink
from shardlog.executor.state import Shard
from shardlog.journal.reader import Reader
from shardlog.journal.writer import JournalWriter
from shardlog.ports.journal import Journal
from shardlog.sharding import shard_of
from tests.unit.executor.ledger import Deposit, Look, Note, ledger
from tests.unit.executor.served import JOURNAL, HandInput, record

SHARDS = 3
KEYS = [next(f"k{n}" for n in range(100) if shard_of(f"k{n}", SHARDS) == shard) for shard in range(SHARDS)]
WAIT = 20
UNIQUE = itertools.count()


def shard_executor(journal: Journal, number: int, inputs: tuple[HandInput, ...] = ()) -> ShardExecutor:
    core = ExecutorCore(ledger, Shard(JOURNAL, number, SHARDS), Limits())
    writer = JournalWriter(Reader(JOURNAL, number, SHARDS))
    return ShardExecutor(core, journal, writer, Claimant("test"), SystemWorld(), inputs)


def submit(executor: Executor, shard: int, command: Deposit | Note | Look, n: int = 0) -> Future[Outcome]:
    future: Future[Outcome] = Future()
    told = record(f"{KEYS[shard]}:1", command, command_id=f"{n}-{next(UNIQUE)}")
    executor.submit(shard, Request(told, "local", ThreadSink(), future))
    return future


@contextmanager
def running(journal: Journal, inputs: tuple[HandInput, ...] = ()) -> Iterator[Executor]:
    executor = Executor({n: shard_executor(journal, n, inputs) for n in range(SHARDS)})
    executor.start(WAIT)
    try:
        yield executor
    finally:
        executor.stop()


def wait_until(is_so: Callable[[], bool], event: threading.Event) -> None:
    for _ in range(WAIT * 100):
        if is_so():
            return
        event.wait(0.01)
    raise AssertionError("it did not come to be")

"""The shards of one executor: begun, left and failed as the assignments and the journal have it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise

import pytest

from shardlog.adapters.memory.journal import MemoryJournal
from shardlog.errors import JournalRefused, JournalUnavailable, UnknownFormat
from shardlog.executor.clock import SystemWorld
from shardlog.executor.core import ExecutorCore
from shardlog.executor.limits import Limits
from shardlog.executor.mode import Claimant, Mode
from shardlog.executor.runner import Executor
from shardlog.executor.shard import ShardExecutor
from shardlog.executor.state import Shard
from shardlog.journal.reader import Reader
from shardlog.journal.writer import JournalWriter
from shardlog.ownership.assignments import Assignments
from shardlog.ownership.operations import assign, init
from shardlog.wiring.kafka.owned_shards import OwnedShards
from tests.unit.executor.ledger import ledger
from tests.unit.ownership.memory_control import MemoryControl

SHARDS = 3
SECONDS = 20.0


class RefusingJournal(MemoryJournal):
    """refuses: shards whose end nobody may ask for."""

    refuses: frozenset[int] | set[int] = frozenset()

    def offsets(self, shard: int) -> tuple[int, int]:
        if shard in self.refuses:
            raise JournalRefused("the user may not use this topic: give it the right")
        return super().offsets(shard)


class Process:
    """One executor of three shards over a journal in memory."""

    def __init__(self) -> None:
        self.control = MemoryControl()
        self.meta = init(self.control, "acme", SHARDS, {}, 5)
        self.journal = RefusingJournal(SHARDS)
        self.assignments = Assignments(self.control, self.meta, "executor-0", 1, SystemWorld().monotonic_ms)
        self.executor = Executor({})
        self.executor.start(SECONDS)
        self.made: list[ShardExecutor] = []
        self.shards = OwnedShards(
            self.executor, self.assignments, self._make, snapshots=False, leave_within_ms=int(1000 * SECONDS)
        )

    def _make(self, number: int) -> ShardExecutor:
        core = ExecutorCore(ledger, Shard(self.meta.journal, number, SHARDS), Limits())
        writer = JournalWriter(Reader(self.meta.journal, number, SHARDS))
        owner = Claimant("executor-0", assignment=self.assignments.view.version_of(number))
        shard = ShardExecutor(
            core, self.journal, writer, owner, SystemWorld(), is_assigned=partial(self.assignments.is_mine, number)
        )
        self.made.append(shard)
        return shard

    def look(self) -> None:
        self.assignments.refresh()
        self.shards.settle(SystemWorld().monotonic_ms())
        self.shards.tell_failures()

    def looks_until(self, is_so: Callable[[], bool]) -> None:
        """Look again and again until it is so."""
        give_up = time.monotonic() + SECONDS
        while not is_so():
            self.look()
            assert time.monotonic() < give_up, (self.shards.owned, self.shards.failed)
            time.sleep(0.005)

    def waits_until(self, is_so: Callable[[], bool]) -> None:
        """Wait for it, without a look."""
        give_up = time.monotonic() + SECONDS
        while not is_so():
            assert time.monotonic() < give_up
            time.sleep(0.005)


@pytest.fixture
def process() -> Iterator[Process]:
    process = Process()
    yield process
    process.shards.end(SECONDS)
    process.executor.stop()


def test_what_is_assigned_is_claimed_once(process: Process) -> None:
    process.looks_until(lambda: process.shards.owned == {0: 1, 1: 1, 2: 1})
    process.look()
    assert len(process.made) == SHARDS
    assert process.shards.alive == {0, 1, 2}


def test_what_is_another_s_is_left_and_claimed_anew_when_it_comes_back(process: Process) -> None:
    process.looks_until(lambda: len(process.shards.owned) == SHARDS)
    assign(process.control, 1, "executor-7")
    process.looks_until(lambda: process.shards.owned == {0: 1, 2: 1} and process.executor.shard(1) is None)
    assert process.shards.alive == {0, 2}
    assign(process.control, 1, "executor-0")
    process.looks_until(lambda: process.shards.owned == {0: 1, 1: 2, 2: 1})


def test_an_assignment_that_changes_while_shards_recover_is_followed(process: Process) -> None:
    process.look()
    for number in range(SHARDS):
        assign(process.control, number, "executor-7")
    process.looks_until(lambda: not process.shards.alive)
    assert process.shards.owned == {}


def test_a_recovery_is_given_up_by_draining(process: Process) -> None:
    shard = process._make(0)
    shard.drain()
    shard.step()
    assert shard.mode is Mode.STOPPED
    assert process.journal.offsets(0) == (0, 0), "nothing was claimed"


def test_a_shard_that_needs_somebody_is_told_once_and_the_others_go_on(
    process: Process, caplog: pytest.LogCaptureFixture
) -> None:
    process.journal.writer(1).append(b'["shardlog",2,"frame"]', lambda _report: None)
    process.looks_until(lambda: bool(process.shards.failed) and len(process.shards.owned) == SHARDS - 1)
    process.look()
    assert isinstance(process.shards.failed[1], UnknownFormat)
    assert process.shards.owned == {0: 1, 2: 1}
    assert [r.levelno for r in caplog.records if "shard 1 has stopped" in r.message] == [logging.CRITICAL]
    assert len(process.made) == SHARDS, "it is not begun again by itself"


def test_a_shard_that_failed_is_begun_anew_when_it_was_another_s_meanwhile(process: Process) -> None:
    process.looks_until(lambda: len(process.shards.owned) == SHARDS)
    process.made[2].fail_for_good(UnknownFormat(2, 0, "a record of tomorrow"))
    process.look()
    assert list(process.shards.failed) == [2]
    assign(process.control, 2, "executor-7")
    process.looks_until(lambda: not process.shards.failed)
    assign(process.control, 2, "executor-0")
    process.looks_until(lambda: len(process.shards.owned) == SHARDS)


def test_a_shard_that_could_not_ask_the_brokers_is_begun_again(process: Process) -> None:
    process.looks_until(lambda: len(process.shards.owned) == SHARDS)
    process.made[0].fail_for_good(JournalUnavailable("no broker answers"))
    assert not process.shards.failed
    process.looks_until(lambda: process.shards.owned.get(0) == 2)


def test_a_shard_that_is_refused_before_anything_was_served_waits_for_somebody(process: Process) -> None:
    process.journal.refuses = {0, 1, 2}
    process.looks_until(lambda: len(process.shards.failed) == SHARDS)
    assert process.shards.waiting == ()
    assert len(process.made) == SHARDS, "it is not begun again by itself"


def test_a_shard_that_is_refused_later_is_begun_again_and_said_once(
    process: Process, caplog: pytest.LogCaptureFixture
) -> None:
    assign(process.control, 2, "executor-7")
    process.looks_until(lambda: len(process.shards.owned) == 2)
    process.journal.refuses = {2}
    assign(process.control, 2, "executor-0")
    process.looks_until(lambda: process.shards.waiting == (2,) and len(process.made) >= SHARDS + 2)
    assert not process.shards.failed
    process.journal.refuses = set()
    process.looks_until(lambda: len(process.shards.owned) == SHARDS)
    assert process.shards.waiting == ()
    assert sum("shard 2 cannot be recovered now" in r.message for r in caplog.records) == 1


def test_a_shard_that_cannot_be_begun_is_left_alone_for_longer_each_time(process: Process) -> None:
    process.looks_until(lambda: len(process.shards.owned) == SHARDS)
    process.journal.refuses = {0}
    process.made[0].fail_for_good(JournalUnavailable("no broker answers"))
    now_ms, begun = 1_000_000.0, []
    while len(begun) < 5:
        before = len(process.made)
        process.assignments.refresh()
        process.shards.settle(now_ms)
        process.shards.tell_failures()
        if len(process.made) > before:
            begun.append(now_ms)
            process.waits_until(lambda: process.made[-1].mode is Mode.STOPPED)
        now_ms += 50.0
    waits = [after - before for before, after in pairwise(begun)]
    assert waits == [100.0, 200.0, 400.0, 800.0]
    process.journal.refuses = set()


def test_a_process_that_ends_leaves_all(process: Process) -> None:
    process.looks_until(lambda: len(process.shards.owned) == SHARDS)
    process.shards.end(SECONDS)
    assert process.shards.owned == {}
    assert process.shards.alive == frozenset()

"""A broker or an input that does not answer holds up no other shard and no end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from shardlog import CommandAccepted, CommandUnavailable
from shardlog.adapters.memory.journal import MemoryJournal
from shardlog.errors import AppendFailed
from shardlog.executor import runner
from shardlog.executor.mode import Mode
from shardlog.executor.runner import Executor
from shardlog.ports.journal import Report, Writer
from tests.unit.executor.ledger import Deposit
from tests.unit.executor.running import KEYS, SHARDS, WAIT, shard_executor, submit, wait_until
from tests.unit.executor.served import HandInput, value


class Unanswering(MemoryJournal):
    """A log whose broker of shard 0 goes away: it takes nothing, and who asks for its end or reads it waits until it is
    back. is_asked: whether somebody waits, or did."""

    def __init__(self) -> None:
        super().__init__(SHARDS)
        self.is_away = False
        self.is_asked = False
        self.is_back = threading.Event()

    def offsets(self, shard: int) -> tuple[int, int]:
        self._wait(shard)
        return super().offsets(shard)

    def read(self, shard: int, start: int) -> Iterator[tuple[int, bytes]]:
        self._wait(shard)
        return super().read(shard, start)

    def _wait(self, shard: int) -> None:
        if shard == 0 and self.is_away:
            self.is_asked = True
            self.is_back.wait(WAIT)

    def writer(self, shard: int) -> Writer:
        return _Unanswering(super().writer(shard), lambda: shard == 0 and self.is_away)


class _Unanswering(Writer):
    def __init__(self, writer: Writer, is_away: Callable[[], bool]) -> None:
        self._writer = writer
        self._is_away = is_away

    def append(self, value: bytes, reported: Callable[[Report], None]) -> None:
        if self._is_away():
            reported(AppendFailed("no broker answers"))
        else:
            self._writer.append(value, reported)

    def abandon(self, deadline_ms: int) -> None:
        self._writer.abandon(deadline_ms)


def test_a_shard_that_waits_for_its_broker_holds_no_other_up() -> None:
    journal = Unanswering()
    executor = Executor({n: shard_executor(journal, n) for n in range(SHARDS)}, recovers_beside=True)
    executor.start(WAIT)
    try:
        journal.is_away = True
        held = submit(executor, 0, Deposit(amount=1))
        wait_until(lambda: executor.modes[0] == "replaying", threading.Event())
        for number in range(50):
            assert isinstance(submit(executor, 1, Deposit(amount=1), number).result(WAIT / 4), CommandAccepted)
        assert not held.done()
        journal.is_away = False
        journal.is_back.set()
        assert isinstance(held.result(WAIT), CommandAccepted)
    finally:
        journal.is_back.set()
        executor.stop()


def test_a_shard_that_joins_while_it_waits_to_see_its_claim_holds_no_other_up() -> None:
    journal = Unanswering()
    executor = Executor({1: shard_executor(journal, 1)}, recovers_beside=True)
    executor.start(WAIT)
    joining = shard_executor(journal, 0)
    while joining.mode is not Mode.CLAIMING:
        joining.step()
    try:
        journal.is_away = True
        executor.add(joining)
        wait_until(lambda: journal.is_asked, threading.Event())
        for number in range(20):
            assert isinstance(submit(executor, 1, Deposit(amount=1), number).result(WAIT / 4), CommandAccepted)
        assert joining.mode is Mode.CLAIMING
        journal.is_away = False
        journal.is_back.set()
        wait_until(lambda: executor.modes[0] == "serving", threading.Event())
    finally:
        journal.is_back.set()
        executor.stop()


def test_an_end_does_not_wait_for_an_input_that_waits_for_somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    class Waits(HandInput):
        is_waiting, may_go_on = threading.Event(), threading.Event()

        def read(self, shard: int, start: int, limit: int) -> list[tuple[int, bytes]]:
            self.is_waiting.set()
            self.may_go_on.wait(WAIT)
            return [(0, value(f"{KEYS[shard]}:1", Deposit(amount=1)))]

    monkeypatch.setattr(runner, "END_SECONDS", 0.1)
    source, journal = Waits(), MemoryJournal(SHARDS)
    executor = Executor({n: shard_executor(journal, n, (source,)) for n in range(SHARDS)})
    executor.start(WAIT)
    assert source.is_waiting.wait(WAIT)
    ending = threading.Thread(target=executor.drain, args=(0.1,))
    ending.start()
    ending.join(WAIT / 2)
    assert not ending.is_alive()
    claims = [journal.offsets(n) for n in range(SHARDS)]
    source.may_go_on.set()
    wait_until(lambda: executor.has_ended, threading.Event())
    assert [journal.offsets(n) for n in range(SHARDS)] == claims, "what it comes upon afterwards is not appended"


def test_a_drain_does_not_wait_for_a_broker_beyond_its_deadline() -> None:
    journal = Unanswering()
    executor = Executor({n: shard_executor(journal, n) for n in range(SHARDS)}, recovers_beside=True)
    executor.start(WAIT)
    journal.is_away = True
    held = submit(executor, 0, Deposit(amount=1))
    wait_until(lambda: executor.modes[0] == "replaying", threading.Event())
    ending = threading.Thread(target=executor.drain, args=(0.1,))
    ending.start()
    ending.join(WAIT / 2)
    assert not ending.is_alive()
    outcome = held.result(0)
    assert isinstance(outcome, CommandUnavailable)
    assert outcome.code == "outcome_unknown"
    shard = executor.shard(0)
    assert shard is not None
    assert shard.unsettled == 1
    journal.is_back.set()

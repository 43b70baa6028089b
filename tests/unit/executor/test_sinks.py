"""Callers in threads and event loops: each gets its answers, and one that is gone harms nobody."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from contextlib import ExitStack

from shardlog import CommandAccepted, Outcome
from shardlog.adapters.memory.faulty import FaultyJournal
from shardlog.executor.mode import Mode
from shardlog.executor.requests import Request
from shardlog.executor.sinks import LoopSink, ThreadSink
from tests.unit.executor.ledger import Deposit
from tests.unit.executor.running import KEYS, SHARDS
from tests.unit.executor.served import Served, record


def test_callers_in_an_event_loop_get_the_answers_of_a_frame_in_one_wake_up() -> None:
    wake_ups = 0

    class Counting(LoopSink):
        def deliver(self, answers: list[tuple[asyncio.Future[Outcome], Outcome]], /) -> None:
            nonlocal wake_ups
            wake_ups += 1
            super().deliver(answers)

    async def ask() -> list[Outcome]:
        loop = asyncio.get_running_loop()
        sink = Counting(loop)
        futures: list[asyncio.Future[Outcome]] = [loop.create_future() for _ in range(100)]
        futures[3].cancel()
        for n, future in enumerate(futures):
            served.shard.submit(Request(record("a:1", Deposit(amount=1), command_id=f"{n}"), "local", sink, future))
        served.settle()
        return [await future for n, future in enumerate(futures) if n != 3]

    served = Served().serve()
    outcomes = asyncio.run(ask())
    assert wake_ups == 1
    assert all(isinstance(outcome, CommandAccepted) for outcome in outcomes)


def test_a_loop_that_was_closed_meanwhile_does_no_harm_to_the_shard() -> None:
    loop = asyncio.new_event_loop()
    future: asyncio.Future[Outcome] = loop.create_future()
    served = Served().serve()
    gone = Request(record("a:1", Deposit(amount=1), command_id="gone"), "local", LoopSink(loop), future)
    served.shard.submit(gone)
    loop.close()
    served.settle()
    assert served.shard.mode is Mode.SERVING
    assert isinstance(served.send("a:1", Deposit(amount=1)), CommandAccepted)


def test_a_caller_that_gave_up_does_no_harm_to_the_others_of_its_frame() -> None:
    journal = FaultyJournal(SHARDS)
    with ExitStack():
        served = Served(journal, shards=SHARDS).serve()
        sink = ThreadSink()
        futures: list[Future[Outcome]] = [Future() for _ in range(3)]
        for n, future in enumerate(futures):
            told = record(f"{KEYS[0]}:1", Deposit(amount=1), command_id=f"{n}")
            served.shard.submit(Request(told, "local", sink, future))
        futures[1].cancel()
        served.settle()
        assert futures[1].cancelled()
        assert [future.result(0).version for future in (futures[0], futures[2])] == [1, 3]

"""The build thread: it serves all shards of a process, and one shard's trouble is that shard's alone."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager

import pytest

from shardlog import CommandAccepted, CommandUnavailable, Outcome
from shardlog.adapters.memory.faulty import FaultyJournal
from shardlog.adapters.memory.journal import MemoryJournal
from shardlog.errors import AppendFailed, ReplayFailed
from shardlog.executor import runner
from shardlog.executor.clock import SystemWorld
from shardlog.executor.core import ExecutorCore
from shardlog.executor.limits import Limits
from shardlog.executor.mode import Claimant, Mode
from shardlog.executor.requests import Request
from shardlog.executor.runner import Executor
from shardlog.executor.shard import ShardExecutor
from shardlog.executor.sinks import LoopSink, ThreadSink
from shardlog.executor.state import Shard
from shardlog.journal.reader import Reader
from shardlog.journal.writer import JournalWriter
from shardlog.ports.journal import Journal, Report, Writer
from shardlog.sharding import shard_of
from tests.unit.executor.ledger import Deposit, Faulty, Look, Note, ledger
from tests.unit.executor.served import JOURNAL, HandInput, Served, record, value

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


def test_threads_send_to_all_shards_and_each_gets_its_own_answers() -> None:
    journal = MemoryJournal(SHARDS)
    with running(journal) as executor:

        def send(thread: int) -> None:
            for n in range(100):
                outcome = submit(executor, (thread + n) % SHARDS, Deposit(amount=1), n).result(WAIT)
                assert isinstance(outcome, CommandAccepted)
                versions.append(((thread + n) % SHARDS, outcome.version))

        versions: list[tuple[int, int | None]] = []
        threads = [threading.Thread(target=send, args=(thread,)) for thread in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(set(versions)) == 400


def test_a_shard_that_cannot_replay_stops_and_is_named_and_the_others_go_on() -> None:
    """Rule: code and journal no longer agree: that shard stops, with shard, offset, stream and version."""
    journal = MemoryJournal(SHARDS)
    with running(journal) as executor:
        submit(executor, 1, Note(text="once fine")).result(WAIT)
    Faulty.evolve_raises = "once fine"
    executor = Executor({n: shard_executor(journal, n) for n in range(SHARDS)})
    with pytest.raises(ReplayFailed, match=rf"shard 1, offset 1: account/{KEYS[1]}:1 version 1"):
        executor.start(WAIT)
    try:
        assert "shard 1: stopped" in executor.describe()
        for shard in (0, 2):
            assert isinstance(submit(executor, shard, Deposit(amount=1)).result(WAIT), CommandAccepted)
        refused = submit(executor, 1, Deposit(amount=1)).result(WAIT)
        assert isinstance(refused, CommandUnavailable)
        assert "cannot be replayed" in refused.message
    finally:
        executor.stop()


def test_an_unexpected_error_stops_its_shard_and_not_the_thread() -> None:
    class Breaks(HandInput):
        def read(self, shard: int, start: int, limit: int) -> list[tuple[int, bytes]]:
            return [(0, None)] if self.values and shard == 2 else []  # type: ignore[list-item]  # what no input may give

    source = Breaks()
    with running(MemoryJournal(SHARDS), (source,)) as executor:
        source.put(b"")
        outcomes = [submit(executor, 2, Look(), n).result(WAIT) for n in range(50)]
        assert isinstance(outcomes[-1], CommandUnavailable)
        assert isinstance(submit(executor, 0, Deposit(amount=1)).result(WAIT), CommandAccepted)
        with pytest.raises(TypeError):
            executor.raise_error()


def test_a_late_report_of_a_stopped_shard_does_not_keep_the_thread_awake() -> None:
    journal = FaultyJournal(1)
    served = Served(journal).serve()
    served.submit("a:1", Deposit(amount=1))
    served.step()
    (flight,) = journal.in_flight()
    served.shard.fail_for_good(RuntimeError("somebody is needed"))
    journal.deliver(flight)
    assert not served.shard.has_work


def test_inputs_are_taken_without_any_request() -> None:
    source = HandInput()
    taken = threading.Event()
    with running(MemoryJournal(SHARDS), (source,)) as executor:
        source.put(value(f"{KEYS[0]}:1", Deposit(amount=1)))
        wait_until(lambda: executor.settled("feeder:hand:1") == SHARDS, taken)


def test_an_input_can_wake_the_thread_that_found_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gives(HandInput):
        def on_arrival(self, wake: Callable[[], None]) -> None:
            self.wake = wake

    source = Gives()
    monkeypatch.setattr(runner, "IDLE_SECONDS", 10.0 * WAIT)
    taken = threading.Event()
    with running(MemoryJournal(SHARDS), (source,)) as executor:
        wait_until(lambda: executor._is_asleep, taken)
        source.put(value(f"{KEYS[0]}:1", Deposit(amount=1)))
        source.wake()
        wait_until(lambda: executor.settled("feeder:hand:1") == SHARDS, taken)


def wait_until(is_so: Callable[[], bool], event: threading.Event) -> None:
    for _ in range(WAIT * 100):
        if is_so():
            return
        event.wait(0.01)
    raise AssertionError("it did not come to be")


def test_draining_answers_all_that_was_taken_and_ends() -> None:
    executor = Executor({n: shard_executor(MemoryJournal(SHARDS), n) for n in range(SHARDS)})
    executor.start(WAIT)
    futures = [submit(executor, n % SHARDS, Deposit(amount=1), n) for n in range(900)]
    executor.drain(WAIT)
    assert all(isinstance(future.result(0), CommandAccepted) for future in futures)
    assert isinstance(submit(executor, 0, Deposit(amount=1)).result(0), CommandUnavailable)


def test_submitting_while_it_drains_or_stops_leaves_nobody_without_an_answer() -> None:
    for ending in ("drain", "stop"):
        executor = Executor({n: shard_executor(MemoryJournal(SHARDS), n) for n in range(SHARDS)})
        executor.start(WAIT)
        futures: list[Future[Outcome]] = []
        go_on = threading.Event()

        def send(
            executor: Executor = executor, futures: list[Future[Outcome]] = futures, go_on: threading.Event = go_on
        ) -> None:
            while not go_on.is_set():
                futures.append(submit(executor, len(futures) % SHARDS, Deposit(amount=1)))

        thread = threading.Thread(target=send)
        thread.start()
        wait_until(lambda futures=futures: len(futures) > 300, threading.Event())
        if ending == "drain":
            executor.drain(WAIT)
        else:
            executor.stop()
        go_on.set()
        thread.join()
        assert all(future.result(WAIT) is not None for future in futures)


def test_a_stop_while_frames_are_on_their_way_says_that_their_outcome_is_unknown() -> None:
    journal = FaultyJournal(SHARDS)
    served = [Served(journal, number=n, shards=SHARDS).serve() for n in range(SHARDS)]
    assert len(served) == SHARDS
    executor = Executor({n: shard_executor(journal, n) for n in range(SHARDS)})
    starting = threading.Thread(target=executor.start, args=(WAIT,))
    starting.start()
    wait_until(lambda: all(journal.in_flight(n) for n in range(SHARDS)), threading.Event())
    for n in range(SHARDS):
        journal.deliver_all(n)
    starting.join()
    future = submit(executor, 0, Deposit(amount=1))
    wait_until(lambda: bool(journal.in_flight(0)), threading.Event())
    executor.stop()
    outcome = future.result(0)
    assert isinstance(outcome, CommandUnavailable)
    assert outcome.code == "outcome_unknown"


def test_a_shard_with_all_its_frames_on_their_way_has_no_work_until_a_report_comes() -> None:
    """Otherwise the thread would spin and hold the interpreter's lock against the one that appends."""
    served = Served(limits={"pending_frames_max": 1}).serve()
    served.submit("a:1", Deposit(amount=1))
    assert served.shard.has_work
    served.step()
    served.submit("a:1", Deposit(amount=1))
    assert not served.shard.has_work
    served.journal.deliver_all()
    assert served.shard.has_work


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

"""The build thread: it serves all shards of a process, and one shard's trouble is that shard's alone."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future

import pytest

from shardlog import CommandAccepted, CommandUnavailable, Outcome
from shardlog.adapters.memory.faulty import FaultyJournal
from shardlog.adapters.memory.journal import MemoryJournal
from shardlog.errors import ReplayFailed
from shardlog.executor import runner
from shardlog.executor.runner import Executor
from tests.unit.executor.ledger import Deposit, Faulty, Look, Note
from tests.unit.executor.running import KEYS, SHARDS, WAIT, running, shard_executor, submit, wait_until
from tests.unit.executor.served import HandInput, Served, value


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

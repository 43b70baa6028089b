"""Threads in which shards wait for the log until they serve, so that those that serve wait for nothing."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

from shardlog.executor.mode import Mode
from shardlog.executor.shard import ShardExecutor
from shardlog.executor.stepping import step_or_stop

log = logging.getLogger("shardlog.executor")
PAUSE_SECONDS = 0.02
"""How long a shard that has nothing to do is left alone at most; the report of its claim wakes it at once."""
IDLE_SECONDS = 10.0
"""After how long without a shard a thread ends."""


class RecoveryThreads:
    """Steps each shard that it is given until it serves, backs off or has stopped, then hands it on.

    threads: so many shards at a time; the others wait for their turn. on_done: given the shard, in one of the threads.
    sees_claim: whether a shard is kept until its claim was seen; else it is handed on as soon as that is appended, and
    the next one replays meanwhile. The threads are daemons: a broker that does not answer keeps no process from ending.
    """

    def __init__(
        self, name: str, threads: int, on_done: Callable[[ShardExecutor], None], *, sees_claim: bool = True
    ) -> None:
        self._sees_claim = sees_claim
        self._name = name
        self._threads_max = threads
        self._on_done = on_done
        self._changed = threading.Condition()
        self._waiting: deque[ShardExecutor] = deque()
        self._threads = 0
        self._idle = 0
        self._is_ending = threading.Event()

    def recover(self, shard: ShardExecutor) -> None:
        """Take a shard, which nobody else steps from here on. From any thread, and without waiting."""
        with self._changed:
            self._waiting.append(shard)
            if self._idle >= len(self._waiting) or self._threads >= self._threads_max:
                self._changed.notify()
                return
            self._threads += 1
        threading.Thread(target=self._run, name=self._name, daemon=True).start()

    def end(self) -> None:
        """Begin no more. A shard that is stepped now is handed on after its step; the others are as they are."""
        self._is_ending.set()
        with self._changed:
            self._waiting.clear()
            self._changed.notify_all()

    def _run(self) -> None:
        reported = threading.Event()
        while (shard := self._next()) is not None:
            try:
                self._step(shard, reported)
                self._on_done(shard)
            except Exception:  # one shard's fault must not end the thread that recovers the others
                log.exception("shard %d: its recovery ended in an error", shard.number, extra=shard.log_fields)

    def _step(self, shard: ShardExecutor, reported: threading.Event) -> None:
        shard.on_report(reported.set)
        while self._is_at_it(shard) and not self._is_ending.is_set():
            reported.clear()
            if not step_or_stop(shard):
                reported.wait(PAUSE_SECONDS)

    def _is_at_it(self, shard: ShardExecutor) -> bool:
        return shard.mode.asks_the_log and (self._sees_claim or shard.mode is Mode.REPLAYING)

    def _next(self) -> ShardExecutor | None:
        with self._changed:
            self._idle += 1
            self._changed.wait_for(lambda: self._waiting or self._is_ending.is_set(), IDLE_SECONDS)
            self._idle -= 1
            if self._waiting and not self._is_ending.is_set():
                return self._waiting.popleft()
            self._threads -= 1
            return None

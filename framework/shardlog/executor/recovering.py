"""Threads in which shards wait for the log until they serve, so that those that serve wait for nothing."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from shardlog.executor.shard import ShardExecutor
from shardlog.executor.stepping import step_or_stop

PAUSE_SECONDS = 0.005
"""How long a shard that has nothing to do, such as one that waits to see its claim, is left alone."""


class RecoveryThreads:
    """Steps each shard that it is given until it serves, backs off or has stopped, then hands it on.

    threads: so many shards at a time; the others wait for their turn. on_done: given the shard, in one of the threads.
    They are daemons: a broker that does not answer keeps no process from ending.
    """

    def __init__(self, name: str, threads: int, on_done: Callable[[ShardExecutor], None]) -> None:
        self._name = name
        self._threads_max = threads
        self._on_done = on_done
        self._changed = threading.Condition()
        self._waiting: deque[ShardExecutor] = deque()
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._is_ending = threading.Event()

    def recover(self, shard: ShardExecutor) -> None:
        """Take a shard, which nobody else steps from here on. From any thread, and without waiting."""
        with self._changed:
            self._waiting.append(shard)
            if self._idle >= len(self._waiting) or len(self._threads) >= self._threads_max:
                self._changed.notify()
                return
            thread = threading.Thread(target=self._run, name=f"{self._name}-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
        thread.start()

    def end(self) -> None:
        """Begin no more. A shard that is stepped now is handed on after its step; the others are as they are."""
        self._is_ending.set()
        with self._changed:
            self._waiting.clear()
            self._changed.notify_all()

    def _run(self) -> None:
        while (shard := self._next()) is not None:
            while shard.mode.asks_the_log and not self._is_ending.is_set():
                if not step_or_stop(shard):
                    self._is_ending.wait(PAUSE_SECONDS)
            self._on_done(shard)

    def _next(self) -> ShardExecutor | None:
        with self._changed:
            self._idle += 1
            self._changed.wait_for(lambda: self._waiting or self._is_ending.is_set())
            self._idle -= 1
            return None if self._is_ending.is_set() else self._waiting.popleft()

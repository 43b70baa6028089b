"""Callers in closed loops: each sends a command, waits for the answer, and sends the next.

They live in the build thread: an answer is delivered there, and its caller submits at once, before the
next frame is built.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import Any

from bench.shard import DrivenShard
from shardlog.executor.requests import CommandRecord, Request
from shardlog.model.outcomes import CommandAccepted


class Clients:
    """They send these commands between them. latencies_s: from submit to answer, in the order of the answers."""

    def __init__(self, shard: DrivenShard, commands: Sequence[CommandRecord]) -> None:
        self._shard = shard
        self._commands = commands
        self._next = 0
        self._sent_at: dict[int, float] = {}
        self.latencies_s: list[float] = []

    def run(self, clients: int) -> float:
        """Send all with so many at a time. Returns seconds. Raises RuntimeError for a command that is not accepted."""
        began = perf_counter()
        for _ in range(clients):
            self._send()
        while len(self.latencies_s) < len(self._commands):
            self._shard.step()
        return perf_counter() - began

    def deliver(self, answers: list[tuple[Any, Any]], /) -> None:
        """Whoever gets an answer sends the next command."""
        now = perf_counter()
        for number, outcome in answers:
            if type(outcome) is not CommandAccepted:
                raise RuntimeError(f"a client was answered {outcome}")
            self.latencies_s.append(now - self._sent_at.pop(number))
        for _ in answers:
            self._send()

    def _send(self) -> None:
        number = self._next
        if number < len(self._commands):
            self._next = number + 1
            self._sent_at[number] = perf_counter()
            self._shard.executor.submit(Request(self._commands[number], "local", self, number))

"""An open loop: commands are sent when they are due, however long the answers before them take.

Their times are drawn ahead, as those of callers who know nothing of each other (exponential gaps), and a latency
runs from the time that a command was due to its answer. A sender that is late, or a shard that stands still, is so seen
in the latency of every command that was due meanwhile: nothing is left out by waiting (coordinated omission).
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from itertools import accumulate
from threading import Event
from time import perf_counter
from typing import Any, NamedTuple

from bench.shard import DrivenShard, percentile
from shardlog.executor.limits import Limits
from shardlog.executor.requests import CommandRecord, Request
from shardlog.executor.runner import Executor
from shardlog.model.outcomes import CommandUnavailable
from shardlog.ports.journal import Journal

WARM_UP_SECONDS = 1.0
NAP_SECONDS = 0.0002
"""How long the sender sleeps at most while nothing is due; it sends then whatever is."""
LEAD_SECONDS = 0.5
"""Between the drawing of the times and the first of them: the requests are made meanwhile."""
ANSWER_SECONDS = 60.0
MET_PART = 0.95
"""An offered rate is met where this part of it is answered in the time that it was offered, and no command is sent
back."""


class Point(NamedTuple):
    """One offered rate. unavailable: commands sent back because the queue was full; latencies are of the others."""

    offered_per_s: int
    answered_per_s: float
    unavailable: int
    ms_p50: float
    ms_p99: float
    ms_p999: float

    @property
    def is_met(self) -> bool:
        """Whether the shard keeps up."""
        return self.unavailable == 0 and self.answered_per_s >= MET_PART * self.offered_per_s


def at_rate(journal: Journal, records: Sequence[CommandRecord], offered_per_s: int, seconds: float) -> Point:
    """Offer commands to a shard of this fresh journal, served by a build thread as an embedded engine has it.

    records: taken in order, as many as (1 + seconds) times the rate.
    """
    executor = Executor({0: DrivenShard(journal, Limits()).executor})
    executor.start(60)
    try:
        warm_up, count = int(offered_per_s * WARM_UP_SECONDS), int(offered_per_s * seconds)
        _send(executor, records[:warm_up], offered_per_s)
        answers = _send(executor, records[warm_up : warm_up + count], offered_per_s)
    finally:
        executor.stop()
    return answers.point(offered_per_s)


class Answers:
    """Notes when each answer came. due: when each command was."""

    def __init__(self, due: list[float]) -> None:
        self.due = due
        self.all_there = Event()
        self._latencies: list[float] = []
        self._unavailable = 0
        self._last = due[0]

    def deliver(self, answers: list[tuple[Any, Any]], /) -> None:
        """From the build thread, and from the sender's where the queue is full."""
        now = perf_counter()
        for number, outcome in answers:
            if isinstance(outcome, CommandUnavailable):
                self._unavailable += 1
            else:
                self._latencies.append(now - self.due[number])
                self._last = now
        if len(self._latencies) + self._unavailable >= len(self.due):
            self.all_there.set()

    def point(self, offered_per_s: int) -> Point:
        """What came of it."""
        latencies = sorted(self._latencies)
        ms = [percentile(latencies, part) * 1e3 for part in (0.5, 0.99, 0.999)]
        span = max(self._last, self.due[-1]) - self.due[0]
        return Point(offered_per_s, len(latencies) / span, self._unavailable, *ms)


def _send(executor: Executor, records: Sequence[CommandRecord], per_s: int) -> Answers:
    """Send each when it is due, and wait for all answers. Raises TimeoutError."""
    chance = random.Random(per_s)
    gaps = [chance.expovariate(1) for _ in records]
    scale = len(records) / per_s / sum(gaps)  # so that chance does not make the rate another one
    begin = perf_counter() + LEAD_SECONDS
    answers = Answers([begin + after * scale for after in accumulate(gaps)])
    submit, due = executor.submit, answers.due
    requests = [Request(record, "local", answers, number) for number, record in enumerate(records)]
    if perf_counter() > begin:
        raise RuntimeError(f"{len(records)} requests took more than {LEAD_SECONDS} s to make: offer fewer at a time")
    sent = 0
    while sent < len(requests):
        now = perf_counter()
        while sent < len(requests) and due[sent] <= now:
            submit(0, requests[sent])
            sent += 1
        if sent < len(requests):
            time.sleep(max(0.0, min(NAP_SECONDS, due[sent] - perf_counter())))
    if not answers.all_there.wait(ANSWER_SECONDS):
        raise TimeoutError(f"not all of {len(records)} commands were answered {ANSWER_SECONDS} s after the last")
    return answers

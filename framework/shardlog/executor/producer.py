"""A shard's producer: what it was given to append, what it has reported, and how long the oldest frame is under way.

After a failure another one takes its place. What an abandoned one reports is passed over: its records are judged where
they land.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

from shardlog.journal.effects import PendingFrame
from shardlog.ports.journal import Journal, Report, Writer


class _Reported(NamedTuple):
    """A report as it came in. writer: which producer gave it. frame: None for a claim."""

    writer: Writer
    frame: PendingFrame | None
    report: Report


class Producer:
    """One after another of one shard. Reports come in from any thread; all else is called by whoever steps the shard.

    wake: called when a report has come in, from any thread.
    """

    def __init__(self, journal: Journal, shard: int) -> None:
        self.wake: Callable[[], None] = lambda: None
        self._journal = journal
        self._shard = shard
        self._port: Writer | None = None
        self._reports: deque[_Reported] = deque()
        self._sent_ms: deque[float] = deque()

    def begin(self) -> None:
        """A fresh one, for a claim and the frames behind it."""
        self._port = self._journal.writer(self._shard)

    def append(self, value: bytes, frame: PendingFrame | None, now_ms: float) -> None:
        """Hand in a frame, or a claim, which has a deadline of its own. It returns at once."""
        port = self._port
        assert port is not None
        if frame is not None:
            self._sent_ms.append(now_ms)

        def reported(report: Report) -> None:
            self._reports.append(_Reported(port, frame, report))
            self.wake()

        port.append(value, reported)

    @property
    def has_reports(self) -> bool:
        """Whether a report waits to be taken."""
        return bool(self._reports)

    def reports(self) -> Iterator[tuple[PendingFrame | None, Report]]:
        """What was reported, in the order in which it came in."""
        while self._reports:
            writer, frame, report = self._reports.popleft()
            if writer is self._port:
                yield frame, report

    def acknowledged(self) -> float:
        """The oldest frame under way is no longer. Returns when it was handed in, by the clock of `append`."""
        return self._sent_ms.popleft()

    def is_overdue(self, now_ms: float, deadline_ms: int) -> bool:
        """Whether the oldest frame is under way for longer than that."""
        return bool(self._sent_ms) and now_ms - self._sent_ms[0] > deadline_ms

    def abandon(self, deadline_ms: int) -> None:
        """Let go of it, if there is one; what is on its way may land all the same."""
        if self._port is not None:
            self._port.abandon(deadline_ms)
            self._port = None
        self._sent_ms.clear()

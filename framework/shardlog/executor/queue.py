"""Requests in front of one shard: bounded, and before them those whose first outcome nobody knows yet."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterable, Sequence

from shardlog.executor.limits import Limits
from shardlog.executor.requests import Read, Waiting
from shardlog.model.outcomes import CommandUnavailable
from shardlog.telemetry.counts import SharedCounts


class RequestQueue:
    """`put` is called from any thread, the rest by whoever steps the shard.

    unserved: answers that it gave itself, by code.

    Unsettled requests were in frames that may have landed; they are decided before the others, in order (rule F3).
    """

    def __init__(self, shard: int, limits: Limits) -> None:
        self.unserved = SharedCounts()
        self._shard = shard
        self._limits = limits
        self._fresh: deque[Waiting] = deque()
        self._unsettled: deque[Waiting] = deque()

    def __len__(self) -> int:
        return len(self._fresh) + len(self._unsettled)

    @property
    def first(self) -> deque[Waiting]:
        """Those to be decided next."""
        return self._unsettled or self._fresh

    def put(self, request: Waiting) -> None:
        """Queue a request, or answer `unavailable` where the queue is full."""
        if len(self._fresh) >= self._limits.queue_commands_max:
            why = f"{self._limits.queue_commands_max} commands wait for this shard (queue_commands_max)"
            self.unavailable(request, why)
        else:
            self._fresh.append(request)

    def take_back(self, requests: Sequence[Waiting]) -> None:
        """These were in frames of unknown fate."""
        self._unsettled.extendleft(reversed(requests))

    def expire(self, now: int) -> None:
        """Decide nothing anew whose first outcome, if there is one, may have left the window while it waited.

        now: the least time of the next frame, microseconds since 1970 UTC.
        """
        oldest = now - self._limits.dedupe_window_ms * 1000
        for _ in range(len(self._unsettled)):
            request = self._unsettled.popleft()
            if isinstance(request, Read) or request.decided_at is None or request.decided_at >= oldest:
                self._unsettled.append(request)
            else:
                self.unknown([request], "it waited for longer than command ids are known")

    def refuse_all(self, why: str) -> None:
        """Answer all who wait. Those whose frames may have landed hear that nobody knows."""
        with contextlib.suppress(IndexError):
            while True:
                self.unknown([self._unsettled.popleft()], why)
        with contextlib.suppress(IndexError):  # whoever puts may do the same at this moment
            while True:
                self.unavailable(self._fresh.popleft(), why)

    def unavailable(self, request: Waiting, why: str) -> None:
        """Answer that the command was not applied, or the stream not read."""
        text = f"shard {self._shard}: {why}; {_nothing_done(request)}"
        self._answer(request, CommandUnavailable("unavailable", text, self._limits.retry_after_ms))

    def unknown(self, requests: Iterable[Waiting], why: str) -> None:
        """Answer that nobody knows whether these commands were applied."""
        text = f"shard {self._shard}: {why}; the command may have been applied: send it again with the same command id"
        for request in requests:
            if isinstance(request, Read):
                self.unavailable(request, why)
            else:
                self._answer(request, CommandUnavailable("outcome_unknown", text, self._limits.retry_after_ms))

    def _answer(self, request: Waiting, outcome: CommandUnavailable) -> None:
        if not isinstance(request, Read):
            self.unserved.add(outcome.code)
        request.sink.deliver([(request.ticket, outcome)])


def _nothing_done(request: Waiting) -> str:
    return "the stream was not read" if isinstance(request, Read) else "the command was not applied"

"""Requests in front of one shard: bounded, and before them those whose first outcome nobody knows yet."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterable, Sequence

from shardlog.executor.limits import Limits
from shardlog.executor.requests import Request
from shardlog.model.outcomes import CommandUnavailable


class RequestQueue:
    """`put` is called from any thread, the rest by whoever steps the shard.

    Unsettled requests were in frames that may have landed; they are decided before the others, in order (rule F3).
    """

    def __init__(self, shard: int, limits: Limits) -> None:
        self._shard = shard
        self._limits = limits
        self._fresh: deque[Request] = deque()
        self._unsettled: deque[Request] = deque()
        self._unsettled_since: int | None = None

    def __bool__(self) -> bool:
        return bool(self._fresh or self._unsettled)

    @property
    def first(self) -> deque[Request]:
        """Those to be decided next."""
        return self._unsettled or self._fresh

    def put(self, request: Request) -> None:
        """Queue a request, or answer `unavailable` where the queue is full."""
        if len(self._fresh) >= self._limits.queue_commands_max:
            why = f"{self._limits.queue_commands_max} commands wait for this shard (queue_commands_max)"
            self.unavailable(request, why)
        else:
            self._fresh.append(request)

    def failing(self, oldest_pending: int | None) -> None:
        """An append failed. oldest_pending: when the oldest frame on its way was built, microseconds since 1970."""
        if self._unsettled_since is None:
            self._unsettled_since = oldest_pending

    def take_back(self, requests: Sequence[Request]) -> None:
        """These were in frames of unknown fate."""
        self._unsettled.extendleft(reversed(requests))

    def expire(self, now: int, is_pending: bool) -> None:
        """Decide nothing anew whose first outcome, if there is one, may have left the window while it waited."""
        if self._unsettled_since is None:
            return
        if not self._unsettled and not is_pending:
            self._unsettled_since = None
        elif now - self._unsettled_since > self._limits.dedupe_window_ms * 1000:
            while self._unsettled:
                self.unknown([self._unsettled.popleft()], "it waited for longer than command ids are known")

    def refuse_all(self, why: str) -> None:
        """Answer all who wait. Those whose frames may have landed hear that nobody knows."""
        with contextlib.suppress(IndexError):
            while True:
                self.unknown([self._unsettled.popleft()], why)
        with contextlib.suppress(IndexError):  # whoever puts may do the same at this moment
            while True:
                self.unavailable(self._fresh.popleft(), why)

    def unavailable(self, request: Request, why: str) -> None:
        """Answer that the command was not applied."""
        text = f"shard {self._shard}: {why}; the command was not applied"
        self._answer(request, CommandUnavailable("unavailable", text, self._limits.retry_after_ms))

    def unknown(self, requests: Iterable[Request], why: str) -> None:
        """Answer that nobody knows whether these commands were applied."""
        text = f"shard {self._shard}: {why}; the command may have been applied: send it again with the same command id"
        for request in requests:
            self._answer(request, CommandUnavailable("outcome_unknown", text, self._limits.retry_after_ms))

    def _answer(self, request: Request, outcome: CommandUnavailable) -> None:
        request.sink.deliver([(request.ticket, outcome)])

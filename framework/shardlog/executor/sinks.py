"""Where answers go: futures of threads, or futures of an event loop with one wake-up a frame."""

from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import Future
from typing import Any


class ThreadSink:
    """Answers for callers in threads; a ticket is a concurrent.futures.Future."""

    def deliver(self, answers: list[tuple[Future[Any], Any]], /) -> None:
        """Resolve the futures."""
        for future, outcome in answers:
            if future.set_running_or_notify_cancel():
                future.set_result(outcome)


class LoopSink:
    """Answers for callers in one event loop; a ticket is an asyncio.Future of it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def deliver(self, answers: list[tuple[asyncio.Future[Any], Any]], /) -> None:
        """Resolve the futures of a frame in one call of the loop. A loop that is closed has nobody who waits."""
        with contextlib.suppress(RuntimeError):  # the loop was closed
            self._loop.call_soon_threadsafe(_resolve, answers)


def _resolve(answers: list[tuple[asyncio.Future[Any], Any]]) -> None:
    for future, outcome in answers:
        if not future.done():
            future.set_result(outcome)

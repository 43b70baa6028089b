"""Commands that were handed to a producer and of which the brokers have said nothing yet, the oldest first."""

from __future__ import annotations

import time
from concurrent.futures import Future
from typing import Any, NamedTuple


class Sent(NamedTuple):
    """What was handed in. sent_at: by the clock of time.monotonic()."""

    command_id: str
    sent_at: float


class Unreported:
    """From any thread. Whoever takes a future out is the one that ends it, so that each ends once."""

    def __init__(self) -> None:
        self._sent: dict[Future[Any], Sent] = {}

    def __len__(self) -> int:
        return len(self._sent)

    def put(self, future: Future[Any], command_id: str) -> None:
        """One is handed in now."""
        self._sent[future] = Sent(command_id, time.monotonic())

    def take(self, future: Future[Any]) -> bool:
        """Whether it was still there; it is not any more."""
        return self._sent.pop(future, None) is not None

    def oldest_at(self) -> float | None:
        """When the oldest was handed in; None where none is there."""
        return next((sent.sent_at for _, sent in self._all()), None)

    def take_before(self, moment: float) -> list[tuple[Future[Any], Sent]]:
        """Those that were handed in before this moment; they are not there any more."""
        return [(future, sent) for future, sent in self._all() if sent.sent_at < moment and self.take(future)]

    def _all(self) -> list[tuple[Future[Any], Sent]]:
        return list(self._sent.copy().items())  # copied in one step: other threads put and take meanwhile

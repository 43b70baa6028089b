"""What a relay does that may fail: tried again after a while, said once, kept by name until it goes right."""

from __future__ import annotations

import logging
from collections.abc import Callable

from shardlog.errors import JournalUnavailable, ShardlogError

log = logging.getLogger("shardlog.relay")


class GrowingWait:
    """How long to leave alone what fails again and again: twice as long each time, up to a limit."""

    def __init__(self, first_ms: float, longest_ms: float) -> None:
        self._first_ms = first_ms
        self._longest_ms = max(first_ms, longest_ms)
        self._next_ms = first_ms

    def next(self) -> float:
        """The wait after one more failure, in milliseconds."""
        wait_ms = self._next_ms
        self._next_ms = min(wait_ms * 2, self._longest_ms)
        return wait_ms

    def restart(self) -> None:
        """It went right, or failed for another reason."""
        self._next_ms = self._first_ms


class Attempts:
    """Errors that hold something back now, by what they concern.

    retry_ms: how long that is left alone. retry_ms_max: for how long at most where it grows: what fails again and again
    may take long each time, and what goes right waits for it meanwhile.
    """

    def __init__(self, role: str, monotonic_ms: Callable[[], float], retry_ms: int, retry_ms_max: int) -> None:
        self.errors: dict[str, ShardlogError] = {}
        self._role = role
        self._now_ms = monotonic_ms
        self._wait_ms = retry_ms
        self._wait_ms_max = retry_ms_max
        self._retry_ms: dict[str, float] = {}
        self._waits: dict[str, GrowingWait] = {}

    def attempt(self, name: str, action: Callable[[], bool], grows: bool = True) -> bool:
        """Do it unless it failed a moment ago; an error is kept under its name, and said once.

        grows: whether it is left alone for longer each time that it fails.
        """
        if self._retry_ms.get(name, 0.0) > self._now_ms():
            return False
        try:
            did = action()
        except ShardlogError as error:
            self.failed(name, error, self._growing(name) if grows else self._wait_ms)
            return False
        if self._retry_ms.pop(name, None) is not None:
            del self.errors[name]
            self._waits.pop(name, None)
            self._try_soon()
        return did

    def _try_soon(self) -> None:
        """The log answers again: whatever it did not answer need not be left alone any longer."""
        for name, error in self.errors.items():
            if isinstance(error, JournalUnavailable):
                self._retry_ms[name] = 0.0
                self._waits.pop(name, None)

    def _growing(self, name: str) -> float:
        if name not in self._waits:
            self._waits[name] = GrowingWait(self._wait_ms, self._wait_ms_max)
        return self._waits[name].next()

    def failed(self, name: str, error: ShardlogError, wait_ms: float) -> None:
        """It went wrong, and is left alone for so long."""
        if str(error) != str(self.errors.get(name)):
            log.error("%s, %s: %s", self._role, name, error)
        self.errors[name] = error
        self._retry_ms[name] = self._now_ms() + wait_ms

    def forget(self, name: str) -> None:
        """It is not to be done any more."""
        self.errors.pop(name, None)
        self._retry_ms.pop(name, None)
        self._waits.pop(name, None)


class Seldom:
    """Whether a question to the log is due again, asked for each shard on its own. The first time it is."""

    def __init__(self, monotonic_ms: Callable[[], float], every_ms: float) -> None:
        self._now_ms = monotonic_ms
        self._every_ms = every_ms
        self._asked_ms: dict[int, float] = {}

    def is_due(self, shard: int) -> bool:
        """True at most once in the time."""
        now = self._now_ms()
        if now - self._asked_ms.get(shard, float("-inf")) < self._every_ms:
            return False
        self._asked_ms[shard] = now
        return True

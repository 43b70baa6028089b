"""How long a shard waits before it claims again: longer each time, so that a log is never filled with claims.

Two reasons are counted apart. Failures are forgotten as soon as a frame is acknowledged. Losses of the shard to another
process are forgotten only after a calm time: two contenders may well acknowledge frames between their claims.
"""

from __future__ import annotations

from shardlog.executor.limits import Limits


class BackOff:
    """failures: how many appends or claims in a row came to nothing."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.failures = 0
        self._losses = 0
        self._last_loss_ms = 0.0

    def acknowledged(self) -> None:
        """A frame counts: the journal takes appends."""
        self.failures = 0

    def failed(self) -> int:
        """An append or a claim came to nothing. Returns the wait in milliseconds."""
        self.failures += 1
        return self._wait_ms(self.failures)

    def lost(self, now_ms: float) -> int:
        """Another process claimed the shard. now_ms: of a clock that never goes back. Returns the wait."""
        if now_ms - self._last_loss_ms > self._limits.contention_calm_ms:
            self._losses = 0
        self._last_loss_ms = now_ms
        self._losses += 1
        return self._wait_ms(self._losses)

    def _wait_ms(self, times: int) -> int:
        limits = self._limits
        return min(limits.back_off_max_ms, limits.back_off_min_ms << min(times - 1, 30))

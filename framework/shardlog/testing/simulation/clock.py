"""Simulated time: one clock that only the simulation moves, and what a process sees of it."""

from __future__ import annotations

from shardlog.executor.clock import World

START_US = 1_800_000_000_000_000


class Clock:
    """The true time, microseconds since 1970 UTC; it moves when it is told to."""

    def __init__(self) -> None:
        self.us = START_US

    @property
    def ms(self) -> float:
        """Milliseconds since the simulation began."""
        return (self.us - START_US) / 1000

    def pass_ms(self, ms: float) -> None:
        """Let time pass."""
        self.us += int(ms * 1000)


class Nonces:
    """Fresh nonces, in a row, for all processes of a simulation."""

    def __init__(self) -> None:
        self._count = 0

    def take(self) -> str:
        """32 hex digits, never given before."""
        self._count += 1
        return f"{self._count:032x}"


class ProcessWorld(World):
    """Time and chance as one process has them. skew_us: how far its wall clock is ahead of the true time."""

    def __init__(self, clock: Clock, nonces: Nonces, skew_us: int) -> None:
        self._clock = clock
        self._nonces = nonces
        self.skew_us = skew_us

    def now_us(self) -> int:
        """The wall clock of this process's host, microseconds since 1970 UTC."""
        return self._clock.us + self.skew_us

    def monotonic_ms(self) -> float:
        """A clock that never goes back, milliseconds."""
        return self._clock.ms

    def nonce(self) -> str:
        """A fresh nonce, 32 hex digits."""
        return self._nonces.take()

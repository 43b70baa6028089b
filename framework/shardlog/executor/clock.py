"""Time and chance as they come into the executor, so that a simulation can bring its own."""

from __future__ import annotations

import secrets
import time
from typing import Protocol


class World(Protocol):
    """What a shard's runner takes from outside."""

    def now_us(self) -> int:
        """The wall clock, microseconds since 1970 UTC."""
        ...

    def monotonic_ms(self) -> float:
        """A clock that never goes back, milliseconds since some moment."""
        ...

    def nonce(self) -> str:
        """A fresh nonce, 32 hex digits."""
        ...


class SystemWorld:
    """This host's clocks and randomness."""

    def now_us(self) -> int:
        """The wall clock, microseconds since 1970 UTC."""
        return time.time_ns() // 1000

    def monotonic_ms(self) -> float:
        """A clock that never goes back, milliseconds since some moment."""
        return time.monotonic_ns() / 1e6

    def nonce(self) -> str:
        """A fresh nonce, 32 hex digits."""
        return secrets.token_hex(16)

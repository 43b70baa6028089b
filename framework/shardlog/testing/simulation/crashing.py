"""Where a process may end: at the boundary of every effect that leaves it."""

from __future__ import annotations

from random import Random

from shardlog.testing.simulation.finding import Crashed
from shardlog.testing.simulation.trace import Trace


class CrashPoints:
    """The boundaries of one process. chance: that it ends at any one of them."""

    def __init__(self, who: str, random: Random, chance: float, trace: Trace) -> None:
        self.chance = chance
        self._who = who
        self._random = random
        self._trace = trace

    def reach(self, boundary: str) -> None:
        """The process stands at a boundary. Raises Crashed where it ends there."""
        if self.chance and self._random.random() < self.chance:
            self._trace.note(self._who, None, "crashes: %s", boundary)
            raise Crashed(boundary)

"""What happened, line by line: time, who, shard, what. It is formatted only where somebody reads it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from shardlog.testing.simulation.clock import Clock


class Happening(NamedTuple):
    """One line. shard: None where it concerns no shard."""

    ms: float
    who: str
    shard: int | None
    what: str
    details: tuple[object, ...]


class Trace:
    """Keeps what happens where `is_kept`; a run is deterministic, so that a failed one is run again with its trace."""

    def __init__(self, clock: Clock, is_kept: bool) -> None:
        self.is_kept = is_kept
        self._clock = clock
        self._happenings: list[Happening] = []

    def note(self, who: str, shard: int | None, what: str, *details: object) -> None:
        """Something happened. what: a text with a %s for each detail."""
        if self.is_kept:
            shown = tuple(detail if isinstance(detail, int | str) else str(detail) for detail in details)
            self._happenings.append(Happening(self._clock.ms, who, shard, what, shown))

    def lines(self) -> Iterator[str]:
        """The trace, a line each."""
        for ms, who, shard, what, details in self._happenings:
            place = "" if shard is None else f"shard {shard}"
            yield f"{ms:10.3f} ms  {who:<14} {place:<8} {what % details}"

"""How old the oldest record is that a projection has not read, by shard."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from shardlog.projector.core import Frame


class Ages:
    """Of one projection. Times are microseconds since 1970 UTC.

    While a batch is read and written, its shards' oldest records are known exactly, by the time in their frames. Before
    a shard's first batch, its oldest record is as old as the moment at which it was first seen to be there.
    """

    def __init__(self) -> None:
        self._since_us: dict[int, int] = {}

    def look(self, next: Mapping[int, int], ends: Mapping[int, int], now_us: int) -> None:
        """The log ends there, and so far the projection has read."""
        behind = {shard for shard, end in ends.items() if next.get(shard, 0) < end}
        self._since_us = {shard: self._since_us.get(shard, now_us) for shard in behind}

    def read(self, frames: Iterable[Frame]) -> None:
        """These frames are read now, by shard in order; their projection has none of them yet."""
        oldest: dict[int, int] = {}
        for frame in frames:
            if frame.shard not in oldest:
                oldest[frame.shard] = frame_time_us(frame.body)
        self._since_us = {**self._since_us, **oldest}

    def lag_s(self, now_us: int) -> dict[int, float]:
        """By shard that is behind, for how many seconds; a clock that is behind the journal's shows none."""
        return {shard: max(0, now_us - since) / 1_000_000 for shard, since in self._since_us.items()}


def now_us() -> int:
    """This host's clock."""
    return time.time_ns() // 1_000


def frame_time_us(body: bytes | memoryview) -> int:
    """The frame's time, without decoding what it holds.

    >>> frame_time_us(b'[1357020000000000,{},[]]')
    1357020000000000
    """
    return int(bytes(body[1:24]).partition(b",")[0])

"""A journal in memory: durable as long as the process, and otherwise all that the port asks for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

from shardlog.errors import AppendFailed, Truncated
from shardlog.ports.journal import Journal, Report, Writer


class MemoryLog:
    """The values of one shard. Safe for several threads."""

    def __init__(self, shard: int) -> None:
        self._shard = shard
        self._earliest = 0
        self._values: list[bytes] = []
        self._lock = threading.Lock()

    def append(self, value: bytes) -> int:
        """Append a value; returns its offset."""
        with self._lock:
            self._values.append(value)
            return self._earliest + len(self._values) - 1

    def read(self, start: int) -> Iterator[tuple[int, bytes]]:
        """Offsets and values from `start` up to the end as known now. Raises Truncated."""
        with self._lock:
            if start < self._earliest:
                raise Truncated(self._shard, start, self._earliest)
            values = self._values[start - self._earliest :]
        return enumerate(values, start)

    def offsets(self) -> tuple[int, int]:
        """The earliest offset held, and the next one."""
        with self._lock:
            return self._earliest, self._earliest + len(self._values)

    def truncate(self, before: int) -> None:
        """Forget what stands below `before`."""
        with self._lock:
            count = min(max(before - self._earliest, 0), len(self._values))
            del self._values[:count]
            self._earliest += count


class MemoryJournal(Journal):
    """Shards in memory. Appends are reported before `append` returns."""

    def __init__(self, shards: int) -> None:
        self._logs = tuple(MemoryLog(shard) for shard in range(shards))

    def writer(self, shard: int) -> Writer:
        return MemoryWriter(self._logs[shard])

    def read(self, shard: int, start: int) -> Iterator[tuple[int, bytes]]:
        return self._logs[shard].read(start)

    def offsets(self, shard: int) -> tuple[int, int]:
        return self._logs[shard].offsets()

    def truncate(self, shard: int, before: int) -> None:
        self._logs[shard].truncate(before)

    def close(self) -> None:
        """Nothing to free: what was appended stays readable."""


class MemoryWriter(Writer):
    """Appends at once."""

    def __init__(self, log: MemoryLog) -> None:
        self._log = log
        self._is_abandoned = False

    def append(self, value: bytes, reported: Callable[[Report], None]) -> None:
        if self._is_abandoned:
            reported(AppendFailed("the writer was abandoned before: the value was not appended"))
        else:
            reported(self._log.append(value))

    def abandon(self, deadline_ms: int) -> None:
        self._is_abandoned = True

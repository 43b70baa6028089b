"""Inputs with offsets: what stands in them, and how one process reads it."""

from __future__ import annotations

from collections.abc import Sequence

from shardlog.ports.inputs import Input
from shardlog.testing.simulation.crashing import CrashPoints


class Feed:
    """An input's records, by shard; they only grow."""

    def __init__(self, name: str, shards: int) -> None:
        self.name = name
        self.records: list[list[bytes]] = [[] for _ in range(shards)]

    def put(self, shard: int, value: bytes) -> int:
        """Append a record; returns its offset."""
        self.records[shard].append(value)
        return len(self.records[shard]) - 1


class ProcessFeed(Input):
    """The input as one process reads it."""

    def __init__(self, feed: Feed, crashes: CrashPoints) -> None:
        self._feed = feed
        self._crashes = crashes

    @property
    def name(self) -> str:
        return self._feed.name

    def read(self, shard: int, start: int, limit: int) -> Sequence[tuple[int, bytes]]:
        records = self._feed.records[shard]
        if start >= len(records):
            return ()
        self._crashes.reach("before a read of an input")
        return list(enumerate(records[start : start + limit], start))

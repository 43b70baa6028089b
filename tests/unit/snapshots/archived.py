"""An archive in memory; it passes the archive's contract."""

from __future__ import annotations

from collections.abc import Iterator

from shardlog.ports.archive import Archive
from shardlog.testing.contracts.archive import Records


class MemoryArchive(Archive):
    def __init__(self, records: Records) -> None:
        self.records = {shard: list(some) for shard, some in records.items()}

    def archived(self, shard: int) -> int:
        return max((offset + 1 for offset, _ in self.records.get(shard, [])), default=0)

    def read(self, shard: int, start: int) -> Iterator[tuple[int, bytes]]:
        return iter([(offset, value) for offset, value in self.records.get(shard, []) if offset >= start])

    def close(self) -> None:
        """Nothing to free."""

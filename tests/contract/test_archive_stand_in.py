"""The archive that stands in for a real one in tests keeps the archive's contract."""

from __future__ import annotations

from shardlog.ports.archive import Archive
from shardlog.testing.contracts.archive import ArchiveContract, Records
from tests.unit.snapshots.archived import MemoryArchive


class TestMemoryArchive(ArchiveContract):
    def holding(self, records: Records) -> Archive:
        return MemoryArchive(records)

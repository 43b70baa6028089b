"""The projection store in memory keeps the contract of projection stores."""

from __future__ import annotations

import pytest

from shardlog.adapters.memory.projections import MemoryDatabase, MemoryProjectionStore
from shardlog.ports.projections import ProjectionStore
from shardlog.testing.contracts.projections import ProjectionStoreContract


class TestMemory(ProjectionStoreContract):
    @pytest.fixture(autouse=True)
    def _database(self) -> None:
        self.database = MemoryDatabase()

    def open(self) -> ProjectionStore:
        return MemoryProjectionStore(self.database)

    def rows(self, table: str) -> list[tuple[object, ...]]:
        return self.database.rows(table)

"""The memory relay store keeps the contract."""

from __future__ import annotations

import pytest

from shardlog.adapters.memory.relay import MemoryRelayStore
from shardlog.ports.relay import RelayStore
from shardlog.testing.contracts.relay import RelayStoreContract


class TestMemory(RelayStoreContract):
    @pytest.fixture(autouse=True)
    def _database(self) -> None:
        self.store = MemoryRelayStore()

    def open(self) -> RelayStore:
        return self.store

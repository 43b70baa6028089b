"""The object store in memory keeps the contract of object stores."""

from __future__ import annotations

import pytest

from shardlog.adapters.memory.objects import MemoryObjects
from shardlog.ports.objects import ObjectStore
from shardlog.testing.contracts.objects import ObjectStoreContract


class TestMemory(ObjectStoreContract):
    @pytest.fixture(autouse=True)
    def _values(self) -> None:
        self.values: dict[str, bytes] = {}

    def open(self) -> ObjectStore:
        return MemoryObjects(self.values)

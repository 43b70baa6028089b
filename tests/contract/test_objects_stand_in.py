"""The object store that stands in for a real one in tests keeps the object store's contract."""

from __future__ import annotations

import threading
from collections.abc import Iterable

import pytest

from shardlog.ports.objects import ObjectStore
from shardlog.testing.contracts.objects import MEBIBYTE, ObjectStoreContract
from tests.unit.executor.snapshots import MemoryObjects


class OneAtATime(MemoryObjects):
    """For several threads."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.RLock()

    def put(self, key: str, chunks: Iterable[bytes]) -> None:
        with self._lock:
            super().put(key, chunks)


class TestMemoryObjects(ObjectStoreContract):
    big_bytes = 2 * MEBIBYTE

    @pytest.fixture(autouse=True)
    def _store(self) -> None:
        self.store_of_this_test = OneAtATime()

    def open(self) -> ObjectStore:
        return self.store_of_this_test

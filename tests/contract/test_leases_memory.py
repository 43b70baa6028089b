"""Leases in memory keep the contract."""

from __future__ import annotations

import pytest

from shardlog.adapters.memory.leases import MemoryLeases
from shardlog.ports.leases import Leases
from shardlog.testing.contracts.leases import LeasesContract


class TestMemory(LeasesContract):
    @pytest.fixture(autouse=True)
    def _group(self) -> None:
        self.group = MemoryLeases()

    def open(self) -> Leases:
        return self.group

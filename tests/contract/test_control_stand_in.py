"""The stand-in for control records that unit tests use keeps the contract."""

from __future__ import annotations

import pytest

from shardlog.ports.control import Control
from shardlog.testing.contracts.control import ControlContract
from tests.unit.ownership.memory_control import MemoryControl


class TestMemoryControl(ControlContract):
    @pytest.fixture(autouse=True)
    def _values(self) -> None:
        self.values: dict[str, bytes] = {}

    def open(self) -> Control:
        return MemoryControl(self.values)

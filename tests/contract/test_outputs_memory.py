"""The memory stand-ins of outputs and carriage keep their contracts."""

from __future__ import annotations

import pytest

from shardlog.adapters.memory.outputs import MemoryCarriage, MemoryOutputs, MemoryTopics
from shardlog.ports.carriage import Carriage
from shardlog.ports.outputs import OutputRecord, Outputs
from shardlog.testing.contracts.carriage import CarriageContract
from shardlog.testing.contracts.outputs import OutputsContract


class TestMemoryOutputs(OutputsContract):
    @pytest.fixture(autouse=True)
    def _topics(self) -> None:
        self.topics = MemoryTopics()

    def open(self) -> Outputs:
        return MemoryOutputs(self.topics)

    def seen(self, topic: str) -> list[OutputRecord]:
        found = [record for record in self.topics.published if record.topic == topic]
        return sorted(found, key=lambda record: record.partition)


class TestMemoryCarriage(CarriageContract):
    @pytest.fixture(autouse=True)
    def _topics(self) -> None:
        self.topics = MemoryTopics()

    def open(self) -> Carriage:
        return MemoryCarriage(self.topics)

    def seen(self) -> list[tuple[int, bytes | None, bytes | None]]:
        return [(target, *record) for target, records in sorted(self.topics.sent.items()) for record in records]

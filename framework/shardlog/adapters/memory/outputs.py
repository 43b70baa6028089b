"""Published outputs and carried sends in memory: for tests, where a relay ends and another goes on."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from shardlog.errors import OutputsFailed, PublisherReplaced
from shardlog.ports.carriage import Carriage, Delivered
from shardlog.ports.checkpoints import Checkpoint
from shardlog.ports.outputs import OutputRecord, Outputs

Fault: TypeAlias = Literal["", "lost", "landed"]
"""What goes wrong with a transaction or a send: nothing; it does not land; or it does, and is reported as lost."""


class MemoryTopics:
    """What all relays of a journal share. faults: of the next transactions and sends, in order."""

    def __init__(self) -> None:
        self.published: list[OutputRecord] = []
        self.sent: dict[int, list[tuple[bytes, bytes]]] = {}
        self.outputs: dict[int, Checkpoint] = {}
        self.sends: dict[int, Checkpoint] = {}
        self.publisher: object = None
        self.faults: deque[Fault] = deque()

    def fault(self) -> Fault:
        """Of what is done now."""
        return self.faults.popleft() if self.faults else ""


class MemoryOutputs(Outputs):
    """One publisher."""

    def __init__(self, topics: MemoryTopics) -> None:
        self._topics = topics
        self._has_begun = False

    def begin(self) -> Mapping[int, Checkpoint]:
        self._topics.publisher = self
        self._has_begun = True
        return dict(self._topics.outputs)

    def write(self, records: Sequence[OutputRecord], checkpoints: Sequence[Checkpoint]) -> None:
        topics = self._topics
        if not self._has_begun:
            raise OutputsFailed("the publisher has not begun, or failed: begin again")
        if topics.publisher is not self:
            self._has_begun = False
            raise PublisherReplaced("another publisher has begun: stop the others")
        fault = topics.fault()
        if fault != "lost":
            topics.published += records
            topics.outputs |= {checkpoint.shard: checkpoint for checkpoint in checkpoints}
        if fault:
            self._has_begun = False
            raise OutputsFailed(f"a transaction was {fault}")

    def close(self) -> None:
        self._has_begun = False


class MemoryCarriage(Carriage):
    """One carrier. What is sent arrives, and is reported, at once."""

    def __init__(self, topics: MemoryTopics) -> None:
        self._topics = topics
        self._has_begun = False

    def begin(self) -> Mapping[int, Checkpoint]:
        self._has_begun = True
        return dict(self._topics.sends)

    def send(self, target: int, key: bytes, record: bytes, delivered: Delivered) -> None:
        if not self._has_begun:
            delivered(OutputsFailed("the carrier has not begun, or is closed: begin again"))
            return
        fault = self._topics.fault()
        if fault != "lost":
            self._topics.sent.setdefault(target, []).append((key, record))
        delivered(OutputsFailed(f"a send was {fault}") if fault else None)

    def store(self, checkpoints: Sequence[Checkpoint], delivered: Delivered) -> None:
        self._topics.sends |= {checkpoint.shard: checkpoint for checkpoint in checkpoints}
        for _ in checkpoints:
            delivered(None)

    def close(self, deadline_ms: int) -> None:
        self._has_begun = False

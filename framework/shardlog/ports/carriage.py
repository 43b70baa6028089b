"""The port by which sends are pushed to their target shards, where no target pulls them (rule D3)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from shardlog.errors import ShardlogError
from shardlog.ports.checkpoints import Checkpoint

Delivered: TypeAlias = "Callable[[ShardlogError | None], None]"
"""Told once what became of a record: None where it is durable, else what went wrong. From any thread; it must not
block or raise."""


class Carriage(ABC):
    """A way to all target shards, and a place for checkpoints. Every adapter passes
    `shardlog.testing.contracts.carriage`."""

    @abstractmethod
    def begin(self) -> Mapping[int, Checkpoint]:
        """Begin anew, and return what is stored, by shard.

        What was given before and is not delivered is dropped; some of it may still arrive. Raises OutputsFailed where
        it does not work now, ConfigurationError where somebody must act.
        """

    @abstractmethod
    def send(self, target: int, key: bytes, record: bytes, delivered: Delivered) -> None:
        """Send it to a shard behind all that was sent there since `begin`, and return at once.

        Where one does not arrive, what follows it may: after an error everything begins again.
        """

    @abstractmethod
    def store(self, checkpoints: Sequence[Checkpoint], delivered: Delivered) -> None:
        """Store how far sends were delivered, and return at once."""

    @abstractmethod
    def close(self, deadline_ms: int) -> None:
        """Deliver what was given, within the deadline, and free everything. Idempotent."""

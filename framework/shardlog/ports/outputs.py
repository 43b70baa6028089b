"""The port of published outputs: records, and how far the journal was published, in one transaction (rule C3)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from shardlog.ports.checkpoints import Checkpoint

EVENTS = "events."
"""What the topics of events begin with; the category follows."""
REPLIES = "replies"
DEAD_LETTERS = "dead-letters"


class OutputRecord(NamedTuple):
    """A record to publish. topic: its name behind the journal's. partition: the shard that it came from."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


class Outputs(ABC):
    """Transactions of one publisher. Another that begins takes its place.

    Readers that ask for committed records see all of a transaction or nothing of it. Every adapter passes
    `shardlog.testing.contracts.outputs`.
    """

    @abstractmethod
    def begin(self) -> Mapping[int, Checkpoint]:
        """Take over from whoever published before, and return what is stored, by shard.

        What another, or this one, had not committed by then never will be. It may be called again, and must be after an
        error of `write`. Raises OutputsFailed where that does not work now, ConfigurationError where somebody must act.
        """

    @abstractmethod
    def write(self, records: Sequence[OutputRecord], checkpoints: Sequence[Checkpoint]) -> None:
        """One transaction: all or nothing, in this order; it stands there when this returns.

        Raises OutputsFailed where it did not, or where nobody knows; PublisherReplaced where another has begun;
        ConfigurationError for records that are never taken. After each, `begin` says what stands there.
        """

    @abstractmethod
    def close(self) -> None:
        """Free connections, within bounded time. Idempotent."""

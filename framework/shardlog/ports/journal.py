"""The journal port: N ordered, append-only sequences of byte strings, dumb on purpose.

An adapter stores values and gives them back whole. It knows nothing of frames, claims or writers: those rules stand in
`shardlog.journal`, once. Every adapter passes `shardlog.testing.contracts.journal`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import TypeAlias

Report: TypeAlias = "int | Exception | None"
"""What became of an append: its offset; None where it stands in the log but nobody says where; or an error, after which
it may stand there or not."""


class Writer(ABC):
    """A fresh producer for one shard. It is used until it is abandoned, and never again after an error."""

    @abstractmethod
    def append(self, value: bytes, reported: Callable[[Report], None]) -> None:
        """Append in the order of calls and return at once.

        `reported` is called once, from any thread, perhaps before this returns. It must not block or raise.
        """

    @abstractmethod
    def abandon(self, deadline_ms: int) -> None:
        """Drop what has not been sent, and free everything within the deadline. What was sent may still land."""


class Journal(ABC):
    """Shards numbered from 0, each a sequence of values at growing offsets from 0."""

    @abstractmethod
    def writer(self, shard: int) -> Writer:
        """A fresh producer. Several may exist for one shard; the port does not choose among them."""

    @abstractmethod
    def read(self, shard: int, start: int) -> Iterator[tuple[int, bytes]]:
        """Offsets and values from `start` up to the end as known now; it never waits for more.

        Raises Corrupt where a value is not what was appended, Truncated where `start` is below the earliest offset.
        """

    @abstractmethod
    def offsets(self, shard: int) -> tuple[int, int]:
        """The earliest offset held, and the next one to be given."""

    @abstractmethod
    def truncate(self, shard: int, before: int) -> None:
        """Forget what stands below `before`. Offsets go on from where they were."""

    @abstractmethod
    def close(self) -> None:
        """Free files and threads. Idempotent."""

"""The archive port: the frames of a journal kept elsewhere, so that the journal itself may be cut off at its start.

It is the least that truncation needs (rule S4): how far a shard is archived, and the records read back as they were.
Every adapter passes `shardlog.testing.contracts.archive`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator


class Archive(ABC):
    """Records of each shard from offset 0 on, as they stand in the journal."""

    @abstractmethod
    def archived(self, shard: int) -> int:
        """The first offset that is not archived: every record below it can be read back. 0 where there is none."""

    @abstractmethod
    def read(self, shard: int, start: int) -> Iterator[tuple[int, bytes]]:
        """Offsets and values from `start` to the end of what is archived, as `Journal.read` gives them.

        Raises Corrupt where a value is not what was archived.
        """

    @abstractmethod
    def close(self) -> None:
        """Free files and connections. Idempotent."""

"""The port of control records: the newest value of each key, beside the journal.

Meta record, assignments and owners stand there; `shardlog.journal.control` has their keys and bytes. None of it makes a
frame valid or invalid: that is the journal's alone. Every adapter passes `shardlog.testing.contracts.control`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping


class Control(ABC):
    """Values by key. May be used from several threads, and by several processes."""

    @abstractmethod
    def read(self) -> Mapping[str, bytes]:
        """The newest value of each key; all that was written before the call is in it.

        Raises JournalUnavailable where it cannot be asked now, and other ShardlogErrors.
        """

    @abstractmethod
    def write(self, key: str, value: bytes) -> None:
        """Set the value of a key; durable when this returns. Of two that write one key at once, one stays.

        Raises JournalUnavailable, or JournalError, and then it may be written or not: read it.
        """

    @abstractmethod
    def close(self) -> None:
        """Free what is held. Idempotent."""

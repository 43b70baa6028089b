"""The input port: a source of commands with offsets, such as a partition of a commands topic or a feeder.

Offsets make an input exactly-once: the frames say which is the first offset not settled, and a restart reads from
there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence


class UnreadableRecord(bytes):
    """Stands in an input for a record that says no command: empty, so that nothing decodes it, with the reason.

    reason: for whoever wrote the record; it comes into the frame and into the dead letter.
    """

    reason: str

    def __new__(cls, reason: str) -> UnreadableRecord:
        """A record without bytes."""
        record = super().__new__(cls)
        record.reason = reason
        return record

    def __repr__(self) -> str:
        return f"UnreadableRecord({self.reason!r})"


class Input(ABC):
    """Commands for each shard, each at an offset of that shard's own sequence."""

    @property
    @abstractmethod
    def name(self) -> str:
        """KIND:NAME:INCARNATION, as it stands in frames; another incarnation means that offsets name other records.

        KIND is the channel of its commands: `feeder` or `kafka`.
        """

    @property
    def carries_sends(self) -> bool:
        """Whether its records may have an origin, since only a relay can write there. Any other is refused."""
        return False

    def end(self, shard: int) -> int | None:
        """The offset behind the last record that is known now, for figures; None where it is not known.

        It asks nobody and returns at once. From any thread.
        """
        return None

    @abstractmethod
    def read(self, shard: int, start: int, limit: int) -> Sequence[tuple[int, bytes]]:
        """Up to `limit` offsets and values, in growing order, from `start`; empty where nothing is there now.

        It returns at once, and may be called from several threads. A value is the JSON array that `CommandRecord` in
        `shardlog.journal.command_record` describes, or an UnreadableRecord, which is recorded as such.
        """

    def read_again(self, shard: int, offset: int) -> bytes | None:
        """The one record at this offset, as `read` gives it, for a relay that carries it on. It may wait, bounded.

        None where there is none, or none any more.
        """
        for found, value in self.read(shard, offset, 1):
            return value if found == offset else None
        return None

    def original(self, shard: int, offset: int) -> bytes | None:
        """The bytes that a producer wrote at this offset, for a dead letter. It may wait, bounded.

        None where there is no such record any more; b"" also for one without a value.
        """
        return self.read_again(shard, offset)

    def on_arrival(self, wake: Callable[[], None]) -> None:
        """Call this, from any thread, when records have come in for a reader that found none.

        An input that does not is looked at a few dozen times a second all the same.
        """
        del wake  # most inputs know nothing of arrivals

    def release(self, shard: int) -> None:  # noqa: B027  # most inputs hold nothing
        """Nobody reads this shard here, until somebody does again: let go of what is held for it. From any thread."""

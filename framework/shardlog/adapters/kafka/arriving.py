"""What has come in for one shard and was not settled yet: records in order, and what stands in the way of more."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import islice

from confluent_kafka import Message

RICH_RECORDS = 1_000
"""From here on nothing more is taken in for a shard on behalf of others, as long as it is read."""
FULL_RECORDS = 4_000
"""From here on the client library is told to bring no more for it."""


class Arriving:
    """Records of one shard. Not for several threads: who uses it holds the lock of its Arrivals.

    start, next: the first offset that may be asked for, and the first that has not come in; -1 for none. error: what
    stands in the way, to be raised once what came before it was taken. undecoded: records whose Avro is yet to be read;
    what comes behind them waits there too. move: a number that says whether it was made to begin anew meanwhile.
    is_wanted, is_assigned: whether the client library should bring records of it, and does. is_due: whether that is yet
    to be told to it; what it brings until then is of where the shard was before. is_settling: whether it is found out
    where to go on. is_wanting: whether somebody asked, and there was nothing.
    """

    def __init__(self, shard: int, full_bytes: int) -> None:
        self.shard = shard
        self.start = self.next = -1
        self.move = 0
        self.error: Exception | None = None
        self.is_wanted = self.is_assigned = self.is_due = False
        self.is_settling = self.is_wanting = self.is_released = False
        self.taken_at = 0.0
        self.held: deque[tuple[int, bytes]] = deque()
        self.undecoded: deque[Message] = deque()
        self._full_bytes = full_bytes
        self._held_bytes = self._undecoded_bytes = 0

    def begin(self, start: int) -> None:
        """Forget all, and go on from there."""
        self.move += 1
        self.start = self.next = start
        self.error = None
        self.is_settling = False
        self.held.clear()
        self.undecoded.clear()
        self._held_bytes = self._undecoded_bytes = 0

    def pass_to(self, start: int) -> None:
        """What stands below is settled."""
        held = self.held
        while held and held[0][0] < start:
            self._held_bytes -= len(held.popleft()[1])
        self.start = start

    def first(self, limit: int) -> Sequence[tuple[int, bytes]]:
        """Up to so many, which stay."""
        return list(islice(self.held, limit))

    def hold(self, offset: int, record: bytes) -> None:
        """A record that can be taken."""
        self.held.append((offset, record))
        self._held_bytes += len(record)
        self.next = offset + 1

    def put_off(self, offset: int, message: Message, size: int) -> None:
        """A record that is decoded beside the reading, or that stands behind one. size: of its value, bytes."""
        self.undecoded.append(message)
        self._undecoded_bytes += size
        self.next = offset + 1

    def decoded(self, records: Sequence[tuple[int, bytes]], size: int) -> None:
        """The first of those that were put off. size: of their values as they came, bytes."""
        for offset, record in records:
            self.undecoded.popleft()
            self.held.append((offset, record))
            self._held_bytes += len(record)
        self._undecoded_bytes -= size

    def stop(self, error: Exception) -> None:
        """What could not be decoded and all behind it is asked for again, once this was raised."""
        self.move += 1
        self.error = error
        self.undecoded.clear()
        self._undecoded_bytes = 0

    @property
    def is_coming(self) -> bool:
        """Whether the client library brings its records, or is yet to be told to."""
        return self.is_wanted and (self.is_assigned or self.is_due)

    @property
    def records(self) -> int:
        """How many there are."""
        return len(self.held) + len(self.undecoded)

    @property
    def is_rich(self) -> bool:
        """Whether it has enough for now. What waits for a schema registry does not count: others need not wait too."""
        return len(self.held) >= RICH_RECORDS or self._held_bytes >= self._full_bytes // 2

    @property
    def is_full(self) -> bool:
        """Whether it must not get more."""
        return self.records >= FULL_RECORDS or self._bytes >= self._full_bytes

    @property
    def _bytes(self) -> int:
        return self._held_bytes + self._undecoded_bytes

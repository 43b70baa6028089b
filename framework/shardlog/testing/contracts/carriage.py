"""What every carriage of sends must do: subclass CarriageContract in a test and say how to open one."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Sequence

from shardlog.errors import OutputsFailed, ShardlogError
from shardlog.ports.carriage import Carriage
from shardlog.testing.contracts.relay import checkpoint

SHARDS = 4
DEADLINE_MS = 10_000


class Reports:
    """What became of records, in the order in which it was told."""

    def __init__(self) -> None:
        self.told: list[ShardlogError | None] = []
        self._changed = threading.Condition()

    def __call__(self, error: ShardlogError | None) -> None:
        with self._changed:
            self.told.append(error)
            self._changed.notify_all()

    def wait_for(self, count: int) -> list[ShardlogError | None]:
        """The reports, once there are so many."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.told) >= count, DEADLINE_MS / 1000), self.told
        return self.told


class CarriageContract:
    """The contract. There are SHARDS targets."""

    @abstractmethod
    def open(self) -> Carriage:
        """A carriage on this test's topics; called again, another one on the same topics."""

    @abstractmethod
    def seen(self) -> Sequence[tuple[int, bytes | None, bytes | None]]:
        """Target, key and record of all that arrived, by target in the order of arrival."""

    def test_sends_arrive_at_their_targets_in_order_and_are_reported_once(self) -> None:
        carriage, reports = self.open(), Reports()
        assert carriage.begin() == {}
        for n in range(1_000):
            carriage.send(n % SHARDS, b"key", b"%d" % n, reports)
        assert reports.wait_for(1_000) == [None] * 1_000
        expected = [(target, b"key", b"%d" % n) for target in range(SHARDS) for n in range(target, 1_000, SHARDS)]
        assert self.seen() == expected
        carriage.close(DEADLINE_MS)

    def test_the_newest_checkpoint_of_each_shard_comes_back_to_whoever_begins(self) -> None:
        carriage, reports = self.open(), Reports()
        carriage.begin()
        carriage.store([checkpoint(7, shard=0), checkpoint(1, shard=3)], reports)
        carriage.store([checkpoint(9, shard=0)], reports)
        assert reports.wait_for(3) == [None] * 3
        stored = {0: checkpoint(9, shard=0), 3: checkpoint(1, shard=3)}
        another = self.open()
        assert another.begin() == stored
        assert carriage.begin() == stored
        carriage.close(DEADLINE_MS)
        another.close(DEADLINE_MS)

    def test_closing_delivers_what_was_given(self) -> None:
        carriage, reports = self.open(), Reports()
        carriage.begin()
        carriage.send(2, b"key", b"record", reports)
        carriage.close(DEADLINE_MS)
        carriage.close(DEADLINE_MS)
        assert reports.wait_for(1) == [None]
        assert self.seen() == [(2, b"key", b"record")]

    def test_what_is_sent_before_it_has_begun_or_after_it_is_closed_is_reported_as_failed(self) -> None:
        carriage, reports = self.open(), Reports()
        carriage.send(0, b"key", b"record", reports)
        carriage.begin()
        carriage.close(DEADLINE_MS)
        carriage.send(0, b"key", b"record", reports)
        assert [type(error) for error in reports.wait_for(2)] == [OutputsFailed] * 2
        assert self.seen() == []

"""What every adapter of published outputs must do: subclass OutputsContract in a test and say how to open one."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import pytest

from shardlog.errors import OutputsFailed, PublisherReplaced
from shardlog.ports.outputs import DEAD_LETTERS, REPLIES, OutputRecord, Outputs
from shardlog.testing.contracts.relay import checkpoint

SHARDS = 4


def reply(n: int, partition: int = 0, topic: str = REPLIES) -> OutputRecord:
    """A record that is told from others by its number."""
    return OutputRecord(topic, partition, b"key-%d" % n, b"value-%d" % n, [("number", b"%d" % n)])


class OutputsContract:
    """The contract. Topics of replies and dead letters have SHARDS partitions."""

    @abstractmethod
    def open(self) -> Outputs:
        """A publisher on this test's topics; called again, another one on the same topics."""

    @abstractmethod
    def seen(self, topic: str) -> Sequence[OutputRecord]:
        """What a reader of committed records sees of a topic, by partition in the order of writing."""

    def test_at_first_nothing_is_stored(self) -> None:
        outputs = self.open()
        assert outputs.begin() == {}
        outputs.close()

    def test_a_transaction_stands_there_whole_and_in_its_order(self) -> None:
        outputs = self.open()
        outputs.begin()
        records = [reply(n, partition=n % SHARDS) for n in range(2_000)]
        bare = OutputRecord(DEAD_LETTERS, 1, None, None, [])
        outputs.write([*records, bare], [checkpoint(7)])
        assert [[*one.headers] for one in self.seen(REPLIES)] == [
            [*one.headers] for shard in range(SHARDS) for one in records if one.partition == shard
        ]
        first = self.seen(REPLIES)[0]
        assert (first.partition, first.key, first.value) == (0, b"key-0", b"value-0")
        (seen,) = self.seen(DEAD_LETTERS)
        assert (seen.partition, seen.key, seen.value) == (1, None, None)
        outputs.close()

    def test_the_newest_checkpoint_of_each_shard_comes_back_to_whoever_begins(self) -> None:
        outputs = self.open()
        outputs.begin()
        outputs.write([reply(1)], [checkpoint(7, shard=0), checkpoint(1, shard=3)])
        outputs.write([], [checkpoint(9, shard=0)])
        outputs.close()
        another = self.open()
        assert another.begin() == {0: checkpoint(9, shard=0), 3: checkpoint(1, shard=3)}
        assert another.begin() == {0: checkpoint(9, shard=0), 3: checkpoint(1, shard=3)}
        another.close()

    def test_nothing_is_written_before_it_has_begun_or_after_it_is_closed(self) -> None:
        outputs = self.open()
        with pytest.raises(OutputsFailed):
            outputs.write([reply(1)], [checkpoint(7)])
        outputs.begin()
        outputs.close()
        outputs.close()
        with pytest.raises(OutputsFailed):
            outputs.write([reply(1)], [checkpoint(7)])
        assert self.seen(REPLIES) == []

    def test_whoever_begins_takes_the_place_of_the_one_before(self) -> None:
        first, second = self.open(), self.open()
        first.begin()
        first.write([reply(1)], [checkpoint(7)])
        assert second.begin() == {0: checkpoint(7)}
        with pytest.raises(PublisherReplaced):
            first.write([reply(2)], [checkpoint(8)])
        second.write([reply(3)], [checkpoint(9)])
        assert first.begin() == {0: checkpoint(9)}
        first.write([reply(4)], [checkpoint(10)])
        assert [one.value for one in self.seen(REPLIES)] == [b"value-1", b"value-3", b"value-4"]
        first.close()
        second.close()

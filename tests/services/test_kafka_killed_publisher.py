"""A publisher that was killed in a transaction holds back readers of committed records for a bounded time only."""

from __future__ import annotations

import pytest

from shardlog.adapters.kafka.outputs import KafkaOutputs
from shardlog.testing.contracts.outputs import SHARDS, reply
from shardlog.testing.contracts.relay import checkpoint
from tests.services.kafka_relayed import RelayedJournal


class Halted(KafkaOutputs):
    """Goes away between produce and commit, as who is killed."""

    def _until_done(self, call):  # type: ignore[no-untyped-def]  # as it is inherited
        if getattr(self, "is_halted", False):
            assert self._producer is not None
            assert self._producer.flush(10) == 0
            raise SystemExit
        super()._until_done(call)


@pytest.mark.timeout(120)
def test_what_a_killed_publisher_left_open_is_dropped_by_the_brokers(kafka: str, journal_name: str) -> None:
    journal = RelayedJournal(kafka, journal_name, SHARDS)
    killed = Halted(journal.settings, transaction_timeout_ms=2_000)
    killed.begin()
    killed.is_halted = True  # type: ignore[attr-defined]  # see above
    with pytest.raises(SystemExit):
        killed.write([reply(1)], [checkpoint(7)])
    topic = journal.settings.replies_topic
    assert journal.seen(topic) == []  # its end is seen, within the minute that this waits
    assert len(journal.seen(topic, "read_uncommitted")) == 1
    heir = KafkaOutputs(journal.settings)
    assert heir.begin() == {}
    heir.write([reply(2)], [checkpoint(8)])
    assert [one.key for one in journal.seen(topic)] == [reply(2).key]
    heir.close()
    journal.close()

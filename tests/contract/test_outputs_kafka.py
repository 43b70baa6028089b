"""Outputs and carriage on Kafka keep their contracts on a real broker, and raise errors of ours alone."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError, KafkaException

from shardlog.adapters.kafka.output_errors import output_errors
from shardlog.adapters.kafka.outputs import KafkaOutputs
from shardlog.adapters.kafka.sends import KafkaCarriage
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.errors import ConfigurationError, JournalUnavailable, OutputsFailed, PublisherReplaced, ShardlogError
from shardlog.ports.carriage import Carriage
from shardlog.ports.outputs import OutputRecord, Outputs
from shardlog.testing.contracts.carriage import CarriageContract, Reports
from shardlog.testing.contracts.outputs import SHARDS, OutputsContract, reply
from shardlog.testing.contracts.relay import checkpoint
from tests.services.kafka_relayed import RelayedJournal

NOBODY = "127.0.0.1:1"
ALL_CODES = [code for name in dir(KafkaError) if isinstance(code := getattr(KafkaError, name), int)]


class TestKafkaOutputs(OutputsContract):
    @pytest.fixture(autouse=True)
    def _journal(self, kafka: str, journal_name: str) -> None:
        self.journal = RelayedJournal(kafka, journal_name, SHARDS)

    def open(self) -> Outputs:
        return KafkaOutputs(self.journal.settings)

    def seen(self, topic: str) -> list[OutputRecord]:
        found = self.journal.seen(f"{self.journal.settings.journal}.{topic}")
        return [OutputRecord(topic, one.partition, one.key, one.value, [*one.headers.items()]) for one in found]

    def test_a_partition_that_is_not_there_is_named(self) -> None:
        """It may be there when its brokers answer again, so it is tried again."""
        outputs = KafkaOutputs(self.journal.settings, transaction_timeout_ms=2_000)
        outputs.begin()
        with pytest.raises(OutputsFailed, match="there is no such partition"):
            outputs.write([reply(1, partition=99)], [checkpoint(7)])
        assert outputs.begin() == {}
        outputs.write([reply(2)], [checkpoint(8)])
        outputs.close()


class TestKafkaCarriage(CarriageContract):
    @pytest.fixture(autouse=True)
    def _journal(self, kafka: str, journal_name: str) -> None:
        self.journal = RelayedJournal(kafka, journal_name, SHARDS)

    def open(self) -> Carriage:
        return KafkaCarriage(self.journal.settings)

    def seen(self) -> list[tuple[int, bytes | None, bytes | None]]:
        return [(one.partition, one.key, one.value) for one in self.journal.seen(self.journal.settings.sends_topic)]

    def test_a_target_that_has_no_partition_is_reported(self) -> None:
        carriage, reports = self.open(), Reports()
        carriage.begin()
        carriage.send(99, b"key", b"record", reports)
        found = reports.wait_for(1)[0]
        assert isinstance(found, OutputsFailed)
        assert "there is no such partition" in str(found)
        carriage.close(0)


def test_where_no_broker_answers_both_say_so_within_bounded_time() -> None:
    settings = KafkaSettings(bootstrap_servers=NOBODY, request_timeout_ms=300, read_timeout_ms=300)
    for way in (KafkaOutputs(settings), KafkaCarriage(settings)):
        with pytest.raises(OutputsFailed, match=NOBODY):
            way.begin()


@pytest.mark.parametrize(
    "raised",
    [
        *(KafkaException(KafkaError(code)) for code in ALL_CODES),
        BufferError("queue full"),
        RuntimeError("closed"),
        ValueError("no"),
        TypeError("no"),
        NotImplementedError("no"),
        JournalUnavailable("no broker"),
    ],
)
def test_whatever_the_client_raises_is_an_error_of_ours(raised: Exception) -> None:
    settings = KafkaSettings(bootstrap_servers=NOBODY)
    with pytest.raises(ShardlogError) as caught, output_errors(settings, "writing"):
        raise raised
    assert isinstance(caught.value, OutputsFailed | ConfigurationError)


def test_a_fenced_producer_was_replaced() -> None:
    settings = KafkaSettings(bootstrap_servers=NOBODY, journal="bank")
    for code in (KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH):
        with pytest.raises(PublisherReplaced, match="'bank'"), output_errors(settings, "writing"):
            raise KafkaException(KafkaError(code))

"""The Kafka journal keeps the journal's contract, on Apache Kafka and, as far as that goes, on Tansu."""

from __future__ import annotations

import pytest

from shardlog.adapters.kafka.journal import KafkaJournal
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.adapters.kafka.topics import KafkaTopics, journal_topic
from shardlog.ports.journal import Journal
from shardlog.testing.contracts.journal import DurableJournalContract


class OnKafka(DurableJournalContract):
    """Each test has a topic of its own."""

    offsets_are_dense = False
    address: str

    @pytest.fixture(autouse=True)
    def _settings(self, broker: str, journal_name: str) -> None:
        self.settings = KafkaSettings(
            bootstrap_servers=broker, journal=journal_name, record_bytes_max=self.big_bytes + 65_536
        )
        self.is_made = False

    def open(self, shards: int) -> Journal:
        if not self.is_made:
            KafkaTopics(self.settings).create([journal_topic(self.settings, shards, self.big_bytes)])
            self.is_made = True
        return KafkaJournal(self.settings, shards)


class TestKafkaJournal(OnKafka):
    @pytest.fixture
    def broker(self, kafka: str) -> str:
        return kafka


class TestTansuJournal(OnKafka):
    """A broker of another make, for what it can do."""

    big_bytes = 256 * 1024  # its limit for a record is below the 16 MiB that the others are tried with
    cannot_tell_end = "Tansu's ListOffsets gives too low an end where records came in a row on one connection"
    cannot_truncate = "Tansu does not answer DeleteRecords: it closes the connection"

    @pytest.fixture
    def broker(self, tansu: str) -> str:
        return tansu

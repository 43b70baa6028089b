"""Control records on Kafka keep the contract; those of a compacted topic are the newest of each key."""

from __future__ import annotations

import pytest

from shardlog.adapters.kafka.control import KafkaControl
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.adapters.kafka.topics import KafkaTopics, control_topic
from shardlog.errors import ConfigurationError
from shardlog.ports.control import Control
from shardlog.testing.contracts.control import ControlContract


class OnKafka(ControlContract):
    @pytest.fixture(autouse=True)
    def _settings(self, broker: str, journal_name: str) -> None:
        self.settings = KafkaSettings(bootstrap_servers=broker, journal=journal_name)
        KafkaTopics(self.settings).create([control_topic(self.settings)])

    def open(self) -> Control:
        return KafkaControl(self.settings)


class TestKafkaControl(OnKafka):
    @pytest.fixture
    def broker(self, kafka: str) -> str:
        return kafka


class TestTansuControl(OnKafka):
    @pytest.fixture
    def broker(self, tansu: str) -> str:
        return tansu


def test_without_its_topic_reading_and_writing_say_which_is_missing(kafka: str, journal_name: str) -> None:
    control = KafkaControl(KafkaSettings(bootstrap_servers=kafka, journal=journal_name, request_timeout_ms=3_000))
    try:
        with pytest.raises(ConfigurationError, match=rf"{journal_name}\.control"):
            control.read()
        with pytest.raises(ConfigurationError, match=rf"{journal_name}\.control"):
            control.write("meta", b"1")
    finally:
        control.close()

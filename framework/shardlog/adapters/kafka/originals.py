"""Single records of commands topics, as their producers wrote them."""

from __future__ import annotations

import time

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from shardlog.adapters.kafka.clients import lookup_config
from shardlog.adapters.kafka.closing import close_behind
from shardlog.adapters.kafka.errors import Faults, is_for_good, kafka_errors, our_error
from shardlog.adapters.kafka.headers import read_headers
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.adapters.kafka.topics import KafkaTopics
from shardlog.ports.originals import Original, Originals

KIND = "kafka"
POLL_SECONDS = 0.1
ID_SECONDS = 5.0
"""After how long it is asked again whether the topic is still the one that a frame names."""
_GONE = frozenset({KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE})


class KafkaOriginals(Originals):
    """Reads records by the names of inputs, `kafka:TOPIC:TOPIC_ID`. For one thread. Making one asks nothing."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._faults = Faults()
        self._ids: dict[str, tuple[str, float]] = {}
        self._consumer: Consumer | None = None

    def fetch(self, input: str, shard: int, offset: int) -> Original | None:
        kind, _, rest = input.partition(":")
        topic, _, id = rest.rpartition(":")
        if kind != KIND or not topic or self._id_of(topic) != id:
            return None
        with kafka_errors(self._settings, f"reading topic {topic}, shard {shard}, offset {offset}", self._faults):
            return self._read(topic, shard, offset)

    def close(self) -> None:
        """Free the consumer, in the background. Idempotent."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            close_behind(consumer)

    def _id_of(self, topic: str) -> str:
        id, asked_at = self._ids.get(topic, ("", 0.0))
        now = time.monotonic()
        if not id or now - asked_at > ID_SECONDS:
            id = KafkaTopics(self._settings).id_of(topic)
            self._ids[topic] = id, now
        return id

    def _read(self, topic: str, shard: int, offset: int) -> Original | None:
        if self._consumer is None:
            self._consumer = Consumer(lookup_config(self._settings) | {"error_cb": self._faults.note})
        consumer = self._consumer
        consumer.assign([TopicPartition(topic, shard, offset)])  # each time: what was fetched before is dropped
        give_up = time.monotonic() + self._settings.read_timeout_ms / 1000
        while True:
            message = consumer.poll(POLL_SECONDS)
            error = None if message is None else message.error()
            if message is not None and (error is None or error.code() == KafkaError._PARTITION_EOF):
                found = _offset_of(message, topic, shard)
                if found is not None and found >= offset:
                    return _original(message) if found == offset and error is None else None
                continue  # of what was asked for before
            if error is not None and error.code() in _GONE:
                return None
            if error is not None and is_for_good(error):
                raise our_error(error, self._settings, f"reading topic {topic}, shard {shard}", self._faults)
            if time.monotonic() > give_up:
                late = KafkaError(KafkaError._TIMED_OUT, f"nothing came for {self._settings.read_timeout_ms} ms")
                raise our_error(late, self._settings, f"reading topic {topic}, shard {shard}", self._faults)


def _offset_of(message: Message, topic: str, shard: int) -> int | None:
    """Where it stands, or where the partition ends; None for one of another partition."""
    return message.offset() if (message.topic(), message.partition()) == (topic, shard) else None


def _original(message: Message) -> Original:
    """The record with what can be read of it: the client gives all headers or none."""
    headers, why_not = read_headers(message)
    return Original(message.value(), message.key(), headers, why_not)

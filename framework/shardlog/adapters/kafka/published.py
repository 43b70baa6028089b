"""A topic that the relay publishes to, read as any consumer sees it: what is committed, from all partitions."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple, cast

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Message, TopicPartition

from shardlog.adapters.kafka.clients import consumer_config
from shardlog.adapters.kafka.errors import Faults, kafka_errors, our_error
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.errors import JournalRefused

POLL_SECONDS = 0.1
BATCH_RECORDS = 500
_PASSING = frozenset({KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT, KafkaError._RESOLVE})
"""What librdkafka gets over by itself."""


class PublishedRecord(NamedTuple):
    """One record, as it stands there."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


class PublishedTopic:
    """A consumer of one topic that commits nothing. For one thread.

    Its methods raise JournalUnavailable where no broker answers in time, JournalRefused where somebody must act.
    """

    def __init__(self, settings: KafkaSettings, topic: str) -> None:
        self._settings = settings
        self._topic = topic
        self._doing = f"reading topic {topic}"
        self._faults = Faults()
        config = consumer_config(settings) | {"isolation.level": "read_committed", "error_cb": self._faults.note}
        with kafka_errors(settings, self._doing):
            self._consumer = Consumer(config)

    def all(self) -> Iterator[PublishedRecord]:
        """Every record from the beginning to the end as it is met, by partition in order."""
        with kafka_errors(self._settings, self._doing, self._faults):
            left = {partition.partition for partition in self._partitions()}
            self._consumer.assign([TopicPartition(self._topic, number, OFFSET_BEGINNING) for number in left])
            give_up = self._patience()
            while left:
                message = self._consumer.poll(POLL_SECONDS)
                messages = [] if message is None else [message, *self._consumer.consume(BATCH_RECORDS, 0)]
                for message in messages:
                    give_up = self._patience()
                    error = message.error()
                    if error is None:
                        yield _record(message)
                    elif error.code() == KafkaError._PARTITION_EOF:
                        left.discard(message.partition() or 0)
                    else:
                        self._check(error)
                if not messages and time.monotonic() > give_up:
                    raise self._silence()

    def begin_at_end(self) -> None:
        """Stand behind the last record of each partition, so that `find` sees what is published from here on."""
        timeout_s = self._settings.request_timeout_ms / 1000
        with kafka_errors(self._settings, self._doing, self._faults):
            starts = []
            for partition in self._partitions():
                bounds = self._consumer.get_watermark_offsets(partition, timeout=timeout_s)
                if bounds is None:
                    raise self._silence()
                starts.append(TopicPartition(self._topic, partition.partition, bounds[1]))
            self._consumer.assign(starts)

    def find(self, key: bytes, within_s: float) -> PublishedRecord | None:
        """The next record of this key; None where there is none within that time."""
        give_up = time.monotonic() + within_s
        with kafka_errors(self._settings, self._doing, self._faults):
            while (left_s := give_up - time.monotonic()) > 0:
                message = self._consumer.poll(min(POLL_SECONDS, left_s))
                if message is None:
                    continue
                error = message.error()
                if error is not None:
                    self._check(error)
                elif message.key() == key:
                    return _record(message)
        return None

    def close(self) -> None:
        """Free it, in the background: with brokers gone it may take its time."""
        threading.Thread(target=self._consumer.close, name="shardlog-kafka-close", daemon=True).start()

    def _partitions(self) -> list[TopicPartition]:
        timeout_s = self._settings.request_timeout_ms / 1000
        found = self._consumer.list_topics(self._topic, timeout=timeout_s).topics[self._topic]
        if found.error is not None:
            if found.error.code() in (KafkaError._UNKNOWN_TOPIC, KafkaError.UNKNOWN_TOPIC_OR_PART):
                raise JournalRefused(
                    f"Kafka at {self._settings.listener}: there is no topic {self._topic}: run `shardlog admin init`, "
                    "which makes it"
                )
            raise our_error(found.error, self._settings, self._doing, self._faults)
        return [TopicPartition(self._topic, number) for number in sorted(found.partitions)]

    def _check(self, error: KafkaError) -> None:
        if error.code() != KafkaError._PARTITION_EOF and not error.retriable() and error.code() not in _PASSING:
            raise our_error(error, self._settings, self._doing, self._faults)

    def _patience(self) -> float:
        return time.monotonic() + self._settings.read_timeout_ms / 1000

    def _silence(self) -> Exception:
        late = KafkaError(KafkaError._TIMED_OUT, f"nothing came for {self._settings.read_timeout_ms} ms")
        return our_error(late, self._settings, self._doing, self._faults)


def _record(message: Message) -> PublishedRecord:
    headers = cast(
        "list[tuple[str, bytes | None]] | None", message.headers()
    )  # what the stubs allow more is for sending
    offset = message.offset()
    assert offset is not None
    return PublishedRecord(message.partition() or 0, offset, message.key(), message.value(), headers or [])

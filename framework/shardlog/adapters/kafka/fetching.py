"""Single records of a commands topic, read again long after the executors have passed them."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from shardlog.adapters.kafka.clients import lookup_config
from shardlog.adapters.kafka.command_form import ReadAvro, command_of
from shardlog.adapters.kafka.errors import FOREIGN_ERRORS, Faults, kafka_errors, our_error
from shardlog.adapters.kafka.settings import KafkaSettings

POLL_SECONDS = 0.1
_GONE = frozenset({KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE})


class Fetched(NamedTuple):
    """A record. value: as executors take it. original: as it stands in the topic, b"" for none."""

    value: bytes
    original: bytes


class CommandFetch:
    """One consumer for all shards, made when it is first needed. From any thread; one after another."""

    def __init__(self, settings: KafkaSettings, topic: str, read_avro: ReadAvro | None) -> None:
        self._settings = settings
        self._topic = topic
        self._read_avro = read_avro
        self._faults = Faults()
        self._lock = threading.Lock()
        self._open: Consumer | None = None

    def at(self, shard: int, offset: int) -> Fetched | None:
        """The record at this offset; None where there is none. Raises JournalUnavailable and ConfigurationError."""
        doing = f"reading topic {self._topic}, shard {shard}, offset {offset} again"
        with self._lock, kafka_errors(self._settings, doing, self._faults):
            consumer = self._consumer()
            consumer.assign([TopicPartition(self._topic, shard, offset)])
            try:
                message = self._message(consumer, doing)
            finally:
                with suppress(*FOREIGN_ERRORS):
                    consumer.unassign()
            if message is None or message.offset() != offset:
                return None
            return Fetched(command_of(message, self._read_avro), message.value() or b"")

    def bounds(self, shard: int) -> tuple[int, int]:
        """The first offset that is there, and the one behind the last. Raises as `at` does."""
        doing = f"asking for the bounds of topic {self._topic}, shard {shard}"
        timeout_s = self._settings.request_timeout_ms / 1000
        with self._lock, kafka_errors(self._settings, doing, self._faults):
            found = self._consumer().get_watermark_offsets(TopicPartition(self._topic, shard), timeout_s, cached=False)
        if found is None:
            raise our_error(KafkaError(KafkaError._TIMED_OUT), self._settings, doing, self._faults)
        return found[0], found[1]

    def close(self) -> None:
        """Free it, in the background: with brokers gone it may take its time."""
        with self._lock:
            consumer, self._open = self._open, None
        if consumer is not None:
            threading.Thread(target=consumer.close, name="shardlog-kafka-close", daemon=True).start()

    def _consumer(self) -> Consumer:
        if self._open is None:
            config = lookup_config(self._settings) | {"error_cb": self._faults.note}
            self._open = Consumer(config)
        return self._open

    def _message(self, consumer: Consumer, doing: str) -> Message | None:
        """The next one that is there; None at the end, or where retention was faster."""
        give_up = time.monotonic() + self._settings.request_timeout_ms / 1000
        while True:
            message = consumer.poll(POLL_SECONDS)
            error = None if message is None else message.error()
            if message is not None and error is None:
                return message
            if error is not None and (error.code() == KafkaError._PARTITION_EOF or error.code() in _GONE):
                return None
            is_refused = error is not None and not error.retriable() and error.code() != KafkaError._TRANSPORT
            if is_refused or time.monotonic() > give_up:
                raise our_error(error or KafkaError(KafkaError._TIMED_OUT), self._settings, doing, self._faults)

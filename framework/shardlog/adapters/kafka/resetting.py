"""Resets of the checkpoints of sends: written by an operator's command, noticed by carriers that run."""

from __future__ import annotations

import time
from contextlib import suppress

from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition

from shardlog.adapters.kafka.checkpoints import PARTITION, RESET_KEY
from shardlog.adapters.kafka.clients import consumer_config, producer_config
from shardlog.adapters.kafka.closing import close_behind
from shardlog.adapters.kafka.errors import FOREIGN_ERRORS, Faults, kafka_errors, our_error
from shardlog.adapters.kafka.settings import KafkaSettings

POLL_SECONDS = 0.1
BATCH_RECORDS = 500


def reset_sends(settings: KafkaSettings) -> None:
    """Make carriers begin at the journal's beginning; those that run do once they next store a checkpoint.

    Raises JournalUnavailable where no broker takes it within `request_timeout_ms`, ConfigurationError.
    """
    doing, faults = f"a reset of sends, to topic {settings.checkpoints_topic}", Faults()
    told: list[KafkaError | None] = []

    def report(error: KafkaError | None, _message: Message) -> None:
        told.append(error)

    with kafka_errors(settings, doing, faults):
        producer = Producer(producer_config(settings) | {"error_cb": faults.note})
        value = b"%d" % (time.time_ns() // 1_000)
        producer.produce(settings.checkpoints_topic, value, RESET_KEY, PARTITION, on_delivery=report)
        give_up = time.monotonic() + settings.request_timeout_ms / 1000
        while not told and faults.refusal is None and time.monotonic() < give_up:
            producer.poll(POLL_SECONDS)
        error = told[0] if told else KafkaError(KafkaError._TIMED_OUT)
        if error is not None:
            producer.purge()
            raise our_error(error, settings, doing, faults)


class ResetWatch:
    """Reads what comes behind a place of the checkpoints topic. For one thread."""

    def __init__(self, settings: KafkaSettings, start: int) -> None:
        """start: the offset to read from. Raises as the client does."""
        self.is_reset = False
        self._consumer = Consumer(consumer_config(settings))
        self._consumer.assign([TopicPartition(settings.checkpoints_topic, PARTITION, start)])

    def look(self) -> None:
        """Take what has come, without waiting: `is_reset` then says whether a reset was among it."""
        with suppress(*FOREIGN_ERRORS):  # it is looked again; where brokers are gone, sends say so
            for message in self._consumer.consume(BATCH_RECORDS, 0):
                self.is_reset |= message.error() is None and message.key() == RESET_KEY

    def close(self) -> None:
        """Free it, in the background."""
        close_behind(self._consumer)

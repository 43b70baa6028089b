"""Asking a broker where a partition begins and ends, in bounded time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import suppress

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from shardlog.adapters.kafka.errors import FOREIGN_ERRORS, Faults, is_for_good, kafka_error, our_error
from shardlog.adapters.kafka.settings import KafkaSettings

ASK_SECONDS = 1.0
"""How long one question waits; between two it is looked whether the brokers refuse us."""
LEAST_SECONDS = 0.05
_PERHAPS_UNKNOWN = frozenset({KafkaError._UNKNOWN_PARTITION, KafkaError._UNKNOWN_TOPIC})
"""What the client says of a topic that is not there, and also of one whose brokers have just died."""


class Bounds:
    """Questions about one topic.

    took: given what the consumer has read, where it is used for reading too. end_at: until when anybody waits for an
    answer, in monotonic time; asked again and again.
    """

    def __init__(
        self,
        consumer: Consumer,
        topic: str,
        settings: KafkaSettings,
        faults: Faults,
        took: Callable[[Message], None] | None = None,
        end_at: Callable[[], float] = lambda: math.inf,
    ) -> None:
        self._end_at = end_at
        self._took = took
        self._consumer = consumer
        self._topic = topic
        self._settings = settings
        self._faults = faults

    def ask(self, partition: int) -> tuple[int, int]:
        """The earliest offset and the next one, as a broker says now.

        Raises JournalUnavailable after `request_timeout_ms`, ConfigurationError where that does not help.
        """
        doing = f"asking for the offsets of topic {self._topic}, partition {partition}"
        asked = TopicPartition(self._topic, partition)
        give_up = time.monotonic() + self._settings.request_timeout_ms / 1000
        while True:
            error: BaseException = TimeoutError(f"no answer for {self._settings.request_timeout_ms} ms")
            try:
                bounds = self._consumer.get_watermark_offsets(asked, timeout=_share(min(give_up, self._end_at())))
                if bounds is not None:
                    self._faults.succeeded()
                    return bounds
            except FOREIGN_ERRORS as raised:
                error = raised
            if self._is_hopeless(error, partition, give_up) or time.monotonic() > min(give_up, self._end_at()):
                raise our_error(error, self._settings, doing, self._faults) from error

    def _is_hopeless(self, error: BaseException, partition: int, give_up: float) -> bool:
        self._hear()
        found = kafka_error(error)
        if found is not None and found.code() in _PERHAPS_UNKNOWN:
            return self._is_missing(partition, give_up)
        return is_for_good(found) or self._faults.refusal is not None

    def _hear(self) -> None:
        """Let the client say what it knows of the reason: it does so when it is polled."""
        with suppress(*FOREIGN_ERRORS):
            message = self._consumer.poll(LEAST_SECONDS)
            if message is not None and self._took is not None:
                self._took(message)

    def _is_missing(self, partition: int, give_up: float) -> bool:
        """Whether a broker says so itself; it is noted as the cause then."""
        with suppress(*FOREIGN_ERRORS):
            metadata = self._consumer.list_topics(self._topic, timeout=_share(give_up))
            if partition not in metadata.topics[self._topic].partitions:
                self._faults.note(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))
                return True
        return False


def _share(give_up: float) -> float:
    return max(min(ASK_SECONDS, give_up - time.monotonic()), LEAST_SECONDS)

"""Control records in the compacted topic `NAME.control`, which has one partition.

Of each key the newest counts, and of meta records of two journals, which two operators made at once, the first one.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Mapping

from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition

from shardlog.adapters.kafka.bounds import Bounds
from shardlog.adapters.kafka.clients import consumer_config, producer_config
from shardlog.adapters.kafka.errors import Faults, kafka_errors, our_error
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.errors import JournalError, ShardlogError
from shardlog.journal.control import META_KEY, settled_meta
from shardlog.ports.control import Control

log = logging.getLogger("shardlog.kafka")
POLL_SECONDS = 0.1


class KafkaControl(Control):
    """The topic must be there. A reading goes on where the last one ended, so that a repeated one is cheap.

    is_overwritten: after a reading, whether the newest meta record is not the one that counts. Once the topic is
    compacted the one that counts would be gone: write it again.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._topic = settings.control_topic
        self._faults = Faults()
        self._lock = threading.Lock()
        self._values: dict[str, bytes] = {}
        self.is_overwritten = False
        self._position = 0
        self._producer: Producer | None = None
        self._end_at = math.inf
        self._is_closed = False
        self._is_assigned = False
        noting = {"error_cb": self._faults.note}
        with kafka_errors(settings, f"making a reader of {self._topic}"):
            self._consumer = Consumer(consumer_config(settings) | noting)
            # another client: on the reader's connection a question waits behind the fetch that waits for news
            self._asker = Consumer(consumer_config(settings) | noting)
        self._asking = Bounds(self._asker, self._topic, settings, self._faults, end_at=lambda: self._end_at)

    def read(self) -> Mapping[str, bytes]:
        with self._lock, kafka_errors(self._settings, f"reading topic {self._topic}", self._faults):
            self._check_open()
            give_up = time.monotonic() + self._settings.request_timeout_ms / 1000
            earliest, end = self._asking.ask(0)
            if not self._is_assigned:  # by number: the client library asks what "the beginning" is half a second later
                self._consumer.assign([TopicPartition(self._topic, 0, earliest)])
                self._is_assigned = True
            while self._position < end:
                message = self._consumer.poll(POLL_SECONDS)
                if message is not None:
                    self._take(message)
                elif time.monotonic() > min(give_up, self._end_at):
                    raise our_error(self._silence(), self._settings, f"reading topic {self._topic}", self._faults)
            return dict(self._values)

    def write(self, key: str, value: bytes) -> None:
        doing = f"writing {key!r} to topic {self._topic}"
        reports: list[KafkaError | None] = []
        with self._lock, kafka_errors(self._settings, doing, self._faults):
            self._check_open()
            if self._producer is None:
                self._producer = Producer(
                    producer_config(self._settings) | {"enable.idempotence": False, "error_cb": self._faults.note}
                )  # what lands twice is compacted away, and a number for idempotence may take half a second
            producer = self._producer
            self._faults.succeeded()  # what was refused before is asked anew, and said again if it still is
            producer.produce(
                self._topic, value, key, partition=0, on_delivery=lambda error, _message: reports.append(error)
            )
            give_up = time.monotonic() + self._settings.request_timeout_ms / 1000
            while not reports and self._faults.refusal is None and time.monotonic() < min(give_up, self._end_at):
                producer.poll(POLL_SECONDS)
            error = reports[0] if reports else self._silence()
            if error is not None:
                self._drop(producer)
                raise self._write_failed(error, doing)
            self._faults.succeeded()

    def end_at(self, monotonic_s: float) -> None:
        """Let no reading or writing, that under way too, wait beyond this time for a broker that does not answer.

        From any thread, and from a signal's handler.
        """
        self._end_at = monotonic_s

    def close(self) -> None:
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            if self._producer is not None:
                self._drop(self._producer)
            for consumer in (self._consumer, self._asker):
                threading.Thread(target=consumer.close, name="shardlog-kafka-close", daemon=True).start()

    def _write_failed(self, error: KafkaError, doing: str) -> ShardlogError:
        """A producer that does not know the topic has asked the brokers for it, and may have met none."""
        if error.code() in (KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION):
            self._asking.ask(0)
        return our_error(error, self._settings, doing, self._faults)

    def _take(self, message: Message) -> None:
        error, offset = message.error(), message.offset()
        if error is not None:
            if error.code() == KafkaError._PARTITION_EOF and offset is not None:
                self._position = max(self._position, offset)
            elif not error.retriable() and error.code() not in _PASSING:
                raise our_error(error, self._settings, f"reading topic {self._topic}", self._faults)
            return
        key, value = message.key(), message.value()
        name = "" if key is None else bytes(key).decode(errors="replace")
        if value is None:
            self._values.pop(name, None)
        else:
            known = self._values.get(name) if name == META_KEY else None
            counts = self._values[name] = value if known is None else settled_meta(known, value)
            if known is not None:
                self._tell_overwritten(counts != value)
        assert offset is not None
        self._position = offset + 1

    def _tell_overwritten(self, is_overwritten: bool) -> None:
        if is_overwritten and not self.is_overwritten:
            log.warning(
                "topic %s: a meta record stands behind that of the journal, and is passed over: two `shardlog admin "
                "init` ran at once. Run it again, alone: it writes the record that counts once more",
                self._topic,
            )
        self.is_overwritten = is_overwritten

    def _drop(self, producer: Producer) -> None:
        """Free it in the background: with brokers gone it may take its time."""
        self._producer = None
        producer.purge(in_queue=True, in_flight=True, blocking=False)
        threading.Thread(target=producer.flush, args=(1.0,), name="shardlog-kafka-close", daemon=True).start()

    def _silence(self) -> KafkaError:
        return KafkaError(KafkaError._TIMED_OUT, f"no answer for {self._settings.request_timeout_ms} ms")

    def _check_open(self) -> None:
        if self._is_closed:
            raise JournalError(f"topic {self._topic}: the control records are closed: open them again")


_PASSING = frozenset({KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT, KafkaError._RESOLVE})
"""What librdkafka gets over by itself."""

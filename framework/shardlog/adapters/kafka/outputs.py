"""Published outputs on Kafka: a transaction with the records and the checkpoints (rule C3)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from shardlog.adapters.kafka.checkpoints import PARTITION, checkpoint_record, read_checkpoints
from shardlog.adapters.kafka.clients import Config, producer_config
from shardlog.adapters.kafka.errors import FOREIGN_ERRORS, Faults, kafka_error
from shardlog.adapters.kafka.output_errors import output_error, output_errors
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.errors import OutputsFailed
from shardlog.ports.checkpoints import Checkpoint
from shardlog.ports.outputs import OutputRecord, Outputs

TRANSACTION_TIMEOUT_MS = 60_000
"""After how long brokers drop the transaction of a publisher that went away and did not come back."""
CALL_SECONDS = 1.0
"""How long one call to the client waits; it is called again until `request_timeout_ms` are over."""
ABORT_SECONDS = 2.0
LINGER_MS = 5
QUEUE_BYTES = 1_073_741_824


class KafkaOutputs(Outputs):
    """The publisher of a journal, by the transactional id `JOURNAL.publisher`. For one thread.

    Making one asks nothing of the brokers.
    """

    def __init__(self, settings: KafkaSettings, transaction_timeout_ms: int = TRANSACTION_TIMEOUT_MS) -> None:
        self._settings = settings
        self._timeout_s = settings.request_timeout_ms / 1000
        self._transaction_ms = transaction_timeout_ms
        self._faults = Faults()
        self._producer: Producer | None = None
        self._failed: KafkaError | None = None
        self._failed_topic = ""

    def begin(self) -> Mapping[int, Checkpoint]:
        self._drop()
        self._faults, self._failed, self._failed_topic = Faults(), None, ""
        doing = f"beginning to publish for journal {self._settings.journal}"
        with output_errors(self._settings, doing, self._faults):
            producer = Producer(self._config())
            self._producer = producer
            self._until_done(lambda: producer.init_transactions(CALL_SECONDS))
            return read_checkpoints(self._settings, "outputs").by_shard

    def write(self, records: Sequence[OutputRecord], checkpoints: Sequence[Checkpoint]) -> None:
        producer = self._producer
        if producer is None:
            raise OutputsFailed("the publisher has not begun, or failed: begin again")
        doing = f"a transaction of {len(records)} records for journal {self._settings.journal}"
        try:
            producer.begin_transaction()
            self._produce(producer, records, checkpoints)
            self._until_done(lambda: producer.commit_transaction(CALL_SECONDS))
        except FOREIGN_ERRORS as error:
            cause = self._abort(producer, error)
            if self._failed_topic:
                doing = f"{doing}, at one for topic {self._failed_topic},"
            raise output_error(cause, self._settings, doing, self._faults) from error

    def close(self) -> None:
        self._drop()

    # -- one transaction -----------------------------------------------------------------------------------------------
    def _produce(self, producer: Producer, records: Sequence[OutputRecord], checkpoints: Sequence[Checkpoint]) -> None:
        prefix = f"{self._settings.journal}."
        give_up = time.monotonic() + self._timeout_s
        produce = producer.produce
        for topic, partition, key, value, headers in records:
            while True:
                try:
                    produce(prefix + topic, value, key, partition, headers=list(headers))
                except BufferError:
                    if time.monotonic() > give_up:
                        raise
                    producer.poll(0.05)
                except KafkaException:
                    self._failed_topic = prefix + topic
                    raise
                else:
                    break
        for checkpoint in checkpoints:
            key, value = checkpoint_record("outputs", checkpoint)
            produce(self._settings.checkpoints_topic, value, key, PARTITION)

    def _until_done(self, call: Callable[[], None]) -> None:
        """Call again while the client says that it may, within `request_timeout_ms`."""
        give_up = time.monotonic() + self._timeout_s
        while True:
            try:
                call()
            except FOREIGN_ERRORS as error:
                cause = kafka_error(error)
                is_hopeless = cause is None or not cause.retriable() or self._faults.refusal is not None
                if is_hopeless or time.monotonic() > give_up:
                    raise
            else:
                self._faults.succeeded()
                return

    def _abort(self, producer: Producer, error: BaseException) -> KafkaError | BaseException:
        """Let readers go on at once; returns why the transaction failed.

        Where that does not work, the next beginning aborts it, or its time-out. A producer that is beyond use says why
        only here.
        """
        found = kafka_error(error)
        cause: KafkaError | BaseException = error
        try:
            producer.abort_transaction(ABORT_SECONDS)
        except FOREIGN_ERRORS as hopeless:
            if found is not None and found.code() == KafkaError._FATAL:
                cause = hopeless
        self._drop()
        is_fatal = found is not None and found.fatal()
        return cause if is_fatal or cause is not error or self._failed is None else self._failed

    def _drop(self) -> None:
        """Free the producer in the background: with brokers gone it may take its time."""
        producer, self._producer = self._producer, None
        if producer is None:
            return

        def free(dropped: list[Producer]) -> None:
            with suppress(*FOREIGN_ERRORS):  # what ended it, such as being fenced, is said again; it was told before
                dropped[0].purge(in_queue=True, in_flight=True, blocking=False)
                dropped[0].poll(0)
            dropped.clear()

        threading.Thread(target=free, args=([producer],), name="shardlog-kafka-close", daemon=True).start()

    def _config(self) -> Config:
        return producer_config(self._settings) | {
            "client.id": "shardlog-publisher",
            "transactional.id": f"{self._settings.journal}.publisher",
            "transaction.timeout.ms": self._transaction_ms,
            "message.timeout.ms": self._transaction_ms,
            "linger.ms": LINGER_MS,
            "queue.buffering.max.messages": 0,
            "queue.buffering.max.kbytes": QUEUE_BYTES // 1_024,
            "delivery.report.only.error": True,
            "on_delivery": self._delivered,
            "error_cb": self._faults.note,
        }

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        """The first that failed says why the transaction does; those behind it were only dropped."""
        if error is not None and self._failed is None and error.code() not in _DROPPED:
            self._failed, self._failed_topic = error, message.topic() or ""


_DROPPED = frozenset({KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT})

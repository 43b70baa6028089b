"""The way of sends on Kafka: an idempotent producer to the topic of sends, without transactions (rule D3)."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence

from confluent_kafka import KafkaError, Message, Producer

from shardlog.adapters.kafka.checkpoints import PARTITION, Stored, checkpoint_record, read_checkpoints, reset_headers
from shardlog.adapters.kafka.clients import producer_config
from shardlog.adapters.kafka.errors import FOREIGN_ERRORS, Faults
from shardlog.adapters.kafka.output_errors import output_error, output_errors
from shardlog.adapters.kafka.resetting import ResetWatch
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.errors import OutputsFailed
from shardlog.ports.carriage import Carriage, Delivered
from shardlog.ports.checkpoints import Checkpoint

POLL_SECONDS = 0.2
"""How long the thread waits for a report at most; one that comes wakes it at once."""
LOOK_SECONDS = 1.0
"""How often it is looked whether an operator has had all sends carried again."""
QUEUE_RECORDS_MAX = 1_000_000
ABANDON_SECONDS = 1.0


class KafkaCarriage(Carriage):
    """Sends to `JOURNAL.sends`, a partition a target. Making one asks nothing of the brokers."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._way: _Way | None = None

    def begin(self) -> Mapping[int, Checkpoint]:
        self._end(ABANDON_SECONDS, delivers=False)
        doing = f"beginning to carry sends of journal {self._settings.journal}"
        with output_errors(self._settings, doing):
            stored = read_checkpoints(self._settings, "sends")
            self._way = _Way(self._settings, stored)
        return stored.by_shard

    def send(self, target: int, key: bytes, record: bytes, delivered: Delivered) -> None:
        self._put(self._settings.sends_topic, target, key, record, delivered)

    def store(self, checkpoints: Sequence[Checkpoint], delivered: Delivered) -> None:
        for checkpoint in checkpoints:
            key, value = checkpoint_record("sends", checkpoint)
            self._put(self._settings.checkpoints_topic, PARTITION, key, value, delivered, is_checkpoint=True)

    def close(self, deadline_ms: int) -> None:
        self._end(deadline_ms / 1000, delivers=True)

    def _put(
        self, topic: str, partition: int, key: bytes, value: bytes, delivered: Delivered, is_checkpoint: bool = False
    ) -> None:
        if self._way is None:
            delivered(OutputsFailed(f"topic {topic}: the carrier has not begun, or is closed: begin again"))
        else:
            self._way.put(topic, partition, key, value, delivered, is_checkpoint)

    def _end(self, within_s: float, delivers: bool) -> None:
        way, self._way = self._way, None
        if way is not None:
            way.end(within_s, delivers)


class _Way:
    """One producer, and a thread that takes its reports and looks for resets. stored: what it begins at."""

    def __init__(self, settings: KafkaSettings, stored: Stored) -> None:
        self._settings = settings
        self._headers = reset_headers(stored.reset)
        self._watch = ResetWatch(settings, stored.next)
        self._faults = Faults()
        self._give_up: float | None = None
        self._ended = threading.Event()
        self._producer: Producer | None = Producer(
            producer_config(settings)
            | {
                "client.id": "shardlog-carrier",
                "queue.buffering.max.messages": QUEUE_RECORDS_MAX,
                "error_cb": self._faults.note,
            }
        )
        self._thread = threading.Thread(target=self._run, name="shardlog-kafka-sends", daemon=True)
        self._thread.start()

    def put(
        self, topic: str, partition: int, key: bytes, value: bytes, delivered: Delivered, is_checkpoint: bool
    ) -> None:
        doing = f"a send to topic {topic}, shard {partition}"
        producer = self._producer
        if self._watch.is_reset:
            delivered(OutputsFailed(f"{doing}: an operator had all sends carried again: begin again"))
            return
        if producer is None:
            delivered(OutputsFailed(f"{doing}: this producer was abandoned: begin again"))
            return

        def report(error: KafkaError | None, _message: Message) -> None:
            if error is None:
                delivered(None)
            else:
                delivered(output_error(self._faults.refusal or error, self._settings, doing))

        try:
            headers = self._headers if is_checkpoint else None
            producer.produce(topic, value, key, partition, on_delivery=report, headers=headers)
        except FOREIGN_ERRORS as error:
            delivered(output_error(error, self._settings, doing))

    def end(self, within_s: float, delivers: bool) -> None:
        """Deliver what was given, or drop it; then free the producer, in its thread, whoever waits for how long."""
        self._give_up = time.monotonic() + (within_s if delivers else 0.0)
        self._ended.wait(within_s)

    def _run(self) -> None:
        producer = self._producer
        assert producer is not None
        look_again = 0.0
        try:
            while self._give_up is None:
                producer.poll(POLL_SECONDS)
                if time.monotonic() > look_again:
                    self._watch.look()
                    look_again = time.monotonic() + LOOK_SECONDS
            while len(producer) and time.monotonic() < self._give_up:
                producer.poll(0.02)
            producer.purge(in_queue=True, in_flight=True, blocking=False)
            while len(producer):
                producer.poll(POLL_SECONDS)
        finally:
            self._watch.close()
            self._producer = None
            del producer
            self._ended.set()

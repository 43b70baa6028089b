"""What no engine in Python on Kafka can beat: the same commands out of a topic, through msgspec, and back into one.

It knows neither streams nor states, versions or repeats: what comes in batches of 200 is decoded, as record and as
typed command, an event and an entry are encoded for each, and a batch goes out as one record. As in a shard, four are
on their way at most, and the producer is idempotent.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from time import perf_counter

from confluent_kafka import Consumer, Message, Producer, TopicPartition

from bench.bare import entry_of, typed_commands
from bench.shard import percentile
from shardlog.adapters.kafka.clients import commands_config, producer_config
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.executor.requests import decode_record

BATCH_RECORDS = 200
BATCHES_ON_THEIR_WAY = 4
SILENT_SECONDS = 30.0
TRANSACTION_SECONDS = 30.0
TRANSACTION_MS = 60_000


class Batches:
    """Batches of records from offset `start` of a commands topic up to `end`."""

    def __init__(self, settings: KafkaSettings, start: int, end: int, batch_records: int = BATCH_RECORDS) -> None:
        self._batch_records = batch_records
        self._config = commands_config(settings) | {"logger": None}
        self._topic = settings.commands_topic
        self.consumer = Consumer(self._config)
        self.consumer.assign([TopicPartition(self._topic, 0, start)])
        self.next = start
        self._end = end

    def take(self) -> Sequence[Message]:
        """The next one; none at the end. Raises TimeoutError."""
        wanted = min(self._batch_records, self._end - self.next)
        taken: list[Message] = []
        give_up = time.monotonic() + SILENT_SECONDS
        while len(taken) < wanted:
            taken += self.consumer.consume(wanted - len(taken), 0.1)
            if time.monotonic() > give_up:
                raise TimeoutError(f"topic {self._topic}: nothing came at offset {self.next} for {SILENT_SECONDS} s")
        self.next += len(taken)
        return taken

    def close(self) -> None:
        """Let go of the consumer."""
        self.consumer.close()


_decoders = typed_commands()


def work(messages: Sequence[Message]) -> bytes:
    """One record for all of these commands: what a frame holds of them."""
    decoders = _decoders
    entries: list[bytes] = []
    for message in messages:
        record = decode_record(message.value() or b"")
        entries.append(entry_of(record, decoders[record.command](record.payload), "kafka"))
    return b"[%b]" % b",".join(entries)


def without_an_engine(settings: KafkaSettings, topic: str, start: int, end: int) -> dict[str, float]:
    """Move the commands from `start` up to `end` into this topic. Commands a second, and a batch's latency."""
    batches = Batches(settings, start, end)
    producer = Producer(producer_config(settings) | {"logger": None})
    messages = batches.take()  # before the clock runs, so that connecting is not measured
    latencies: list[float] = []
    sent = 0
    began = perf_counter()
    while messages:
        read_at = perf_counter()
        while sent - len(latencies) >= BATCHES_ON_THEIR_WAY:
            producer.poll(0.1)
        producer.produce(topic, work(messages), partition=0, on_delivery=_noting(latencies, read_at))
        sent += 1
        producer.poll(0)
        messages = batches.take()
    if producer.flush(SILENT_SECONDS):
        raise TimeoutError(f"topic {topic}: batches were not taken within {SILENT_SECONDS} s")
    elapsed = perf_counter() - began
    batches.close()
    latencies.sort()
    return {"limit_commands_per_s": (end - start) / elapsed, "limit_ack_ms_p50": percentile(latencies, 0.5) * 1e3}


def with_transactions(
    settings: KafkaSettings, topic: str, start: int, end: int, batch_records: int = BATCH_RECORDS
) -> dict[str, float]:
    """The same with a Kafka transaction a batch, the batch's offset in it: exactly once, as Kafka has it."""
    batches = Batches(settings, start, end, batch_records)
    group = batches.consumer.consumer_group_metadata()
    producer = Producer(
        producer_config(settings)
        | {"transactional.id": f"{settings.journal}.bench", "logger": None}
        | {"transaction.timeout.ms": TRANSACTION_MS, "message.timeout.ms": TRANSACTION_MS}
    )
    producer.init_transactions(TRANSACTION_SECONDS)
    latencies: list[float] = []
    began = perf_counter()
    while messages := batches.take():
        read_at = perf_counter()
        producer.begin_transaction()
        producer.produce(topic, work(messages), partition=0)
        offset = TopicPartition(settings.commands_topic, 0, batches.next)
        producer.send_offsets_to_transaction([offset], group, TRANSACTION_SECONDS)
        producer.commit_transaction(TRANSACTION_SECONDS)
        latencies.append(perf_counter() - read_at)
    elapsed = perf_counter() - began
    batches.close()
    latencies.sort()
    return {
        "transactions_commands_per_s": (end - start) / elapsed,
        "transactions_ack_ms_p50": percentile(latencies, 0.5) * 1e3,
        "transactions_ack_ms_p99": percentile(latencies, 0.99) * 1e3,
    }


def _noting(latencies: list[float], read_at: float) -> Callable[[object, Message], None]:
    def delivered(error: object, _message: Message) -> None:
        if error is not None:
            raise RuntimeError(f"a batch was not taken: {error}")
        latencies.append(perf_counter() - read_at)

    return delivered

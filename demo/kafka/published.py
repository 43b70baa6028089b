"""The check of what the relay published: each event of the journal stands once in its category's topic, in order."""

from __future__ import annotations

import time
from collections import Counter

from confluent_kafka import Consumer, KafkaError, TopicPartition

from demo.log import Log
from shardlog.adapters.kafka.clients import consumer_config
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.journal.reader import FrameTaken, Reader
from shardlog.journal.records import Accepted, decode_raw_frame

BATCH_RECORDS = 5_000
SILENT_SECONDS = 30.0


def published_differences(log: Log, settings: KafkaSettings, categories: list[str]) -> tuple[int, list[str]]:
    """How many events were published, and how topics differ from the journal, as text, a line each."""
    recorded = _recorded(log)
    found: Counter[tuple[str, int]] = Counter()
    differences: list[str] = []
    for category in categories:
        for shard in range(log.shards):
            count, out_of_order = _read(settings, category, shard)
            found[category, shard] = count
            if count != recorded[category, shard]:
                differences.append(
                    f"topic {settings.events_topic(category)}, shard {shard}: {count:,} events, and the journal has "
                    f"{recorded[category, shard]:,}"
                )
            if out_of_order:
                differences.append(
                    f"topic {settings.events_topic(category)}, shard {shard}: event {out_of_order} is not behind the "
                    "one before it"
                )
    return found.total(), differences


def _recorded(log: Log) -> Counter[tuple[str, int]]:
    """Events of valid frames by category and shard."""
    counted: Counter[tuple[str, int]] = Counter()
    for shard in range(log.shards):
        reader = Reader(log.id, shard, log.shards)
        for offset, value in log.journal.read(shard, 0):
            verdict = reader.pass_over(offset, value)
            if isinstance(verdict, FrameTaken):
                for entry in decode_raw_frame(verdict.body).entries:
                    if isinstance(entry, Accepted):
                        counted.update((event.type.partition("/")[0], shard) for event in entry.events)
    return counted


def _read(settings: KafkaSettings, category: str, shard: int) -> tuple[int, str]:
    """How many events are committed, and the first that is not behind the one before it; "" where all are.

    An event's id ends in its offset in the journal and its index there: what grows holds nothing twice.
    """
    consumer = Consumer(consumer_config(settings) | {"isolation.level": "read_committed"})
    count, last, out_of_order, has_ended = 0, (-1, -1), "", False
    try:
        consumer.assign([TopicPartition(settings.events_topic(category), shard, 0)])
        give_up = time.monotonic() + SILENT_SECONDS
        while not has_ended:
            for message in consumer.consume(BATCH_RECORDS, 0.2):
                give_up = time.monotonic() + SILENT_SECONDS
                error = message.error()
                if error is not None:
                    has_ended |= error.code() == KafkaError._PARTITION_EOF
                    continue
                id = _text(dict(message.headers() or ()).get("ce_id"))
                *_, offset, index = f"..{id}".split(".")
                place = (int(offset), int(index)) if id else (-1, -1)  # without an id it is behind nothing
                count += 1
                if place <= last and not out_of_order:
                    out_of_order = id or f"at offset {message.offset()}"
                last = place
            if time.monotonic() > give_up:
                return count, "after a long silence"
    finally:
        consumer.close()
    return count, out_of_order


def _text(header: str | bytes | None) -> str:
    return header.decode() if isinstance(header, bytes) else header or ""

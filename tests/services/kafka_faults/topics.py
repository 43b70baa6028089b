"""All records of a topic, by a plain consumer that shares no code with the adapters."""

from __future__ import annotations

import time
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

WITHIN_S = 60.0


class Found(NamedTuple):
    """A record as it stands in its topic."""

    offset: int
    key: bytes
    value: bytes
    headers: dict[str, bytes]


def consumer(bootstrap: str, *, is_committed: bool) -> Consumer:
    """is_committed: without what stands in transactions that are open or were aborted."""
    return Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "the-judge",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "error",
            "isolation.level": "read_committed" if is_committed else "read_uncommitted",
            "fetch.error.backoff.ms": 50,
        }
    )


def ends(bootstrap: str, topic: str, shards: int, *, is_committed: bool = True) -> list[int]:
    """The offset behind the last record of each partition."""
    asking = consumer(bootstrap, is_committed=is_committed)
    try:
        return [_end(asking, TopicPartition(topic, shard)) for shard in range(shards)]
    finally:
        asking.close()


def records(bootstrap: str, topic: str, shards: int, *, is_committed: bool) -> list[list[Found]]:
    """By partition, from the first record that is there up to the end."""
    reading = consumer(bootstrap, is_committed=is_committed)
    try:
        return [_partition(reading, topic, shard) for shard in range(shards)]
    finally:
        reading.close()


def _end(asking: Consumer, partition: TopicPartition) -> int:
    give_up = time.monotonic() + WITHIN_S
    while True:
        try:
            bounds = asking.get_watermark_offsets(partition, timeout=5.0)
        except KafkaException:
            bounds = None
        if bounds is not None:
            return bounds[1]
        assert time.monotonic() < give_up, f"{partition.topic}: no broker says where it ends"


def _partition(reading: Consumer, topic: str, shard: int) -> list[Found]:
    earliest, _ = reading.get_watermark_offsets(TopicPartition(topic, shard), timeout=20.0) or (0, 0)
    reading.assign([TopicPartition(topic, shard, earliest)])
    found: list[Found] = []
    give_up = time.monotonic() + WITHIN_S
    while True:
        message = reading.poll(1.0)
        error = None if message is None else message.error()
        if message is not None and error is None:
            headers = {name: value for name, value in message.headers() or () if isinstance(value, bytes)}
            found.append(Found(message.offset() or 0, message.key() or b"", message.value() or b"", headers))
        elif error is not None and error.code() == KafkaError._PARTITION_EOF:
            return found
        assert time.monotonic() < give_up, f"{topic}, partition {shard}: it was not read to its end"

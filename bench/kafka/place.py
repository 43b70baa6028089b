"""Where these benchmarks run: a broker, and a journal of one shard with topics that nobody else has."""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from shardlog.adapters.kafka.clients import commands_producer_config
from shardlog.adapters.kafka.commands import KafkaInput, command_topics
from shardlog.adapters.kafka.journal import KafkaJournal
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.adapters.kafka.topics import KafkaTopics, journal_topic
from shardlog.executor.limits import Limits
from shardlog.testing.services.errors import ServiceMissing
from shardlog.testing.services.kafka.forgetting import delete_topics
from shardlog.testing.services.kafka.found import found_kafka
from shardlog.testing.services.kafka.options import BrokerOptions

OPTIONS = BrokerOptions(is_for_throughput=True, heap_mb=1_000)
FLUSH_SECONDS = 300.0
STREAM_ID = 3
"""Where the stream's id stands in a record that is parted at its quotation marks."""


class Place:
    """A journal's topics at a broker. To be closed: they are deleted then, and what was opened ends."""

    def __init__(self, bootstrap: str) -> None:
        self.settings = KafkaSettings(bootstrap_servers=bootstrap, journal=f"bench-{uuid.uuid4().hex[:8]}")
        limits = Limits()
        self._names = KafkaTopics(self.settings).create(
            [
                journal_topic(self.settings, 1, limits.frame_bytes_max),
                *command_topics(self.settings, 1, limits.command_bytes_max),
            ]
        )
        self.journal = KafkaJournal(self.settings, 1)
        self._inputs: list[KafkaInput] = []

    def input(self) -> KafkaInput:
        """The commands topic, for an executor."""
        made = KafkaInput(self.settings, self.settings.commands_topic)
        self._inputs.append(made)
        return made

    def send(self, records: list[bytes]) -> None:
        """Put these into the commands topic, at offsets from 0 on where it is empty. Raises RuntimeError."""
        send_all(self.settings, self.settings.commands_topic, records)

    def close(self) -> None:
        """Let go of all of it."""
        for made in self._inputs:
            made.close()
        self.journal.close()
        delete_topics(self.settings.bootstrap_servers, self._names)


def send_all(settings: KafkaSettings, topic: str, records: list[bytes], keyed: bool = False) -> None:
    """Put records into partition 0 of a topic, in their order; keyed: by the stream's id. Raises RuntimeError."""
    from confluent_kafka import Producer

    producer = Producer(
        commands_producer_config(settings) | {"linger.ms": 20, "queue.buffering.max.messages": 200_000, "logger": None}
    )
    failed: list[object] = []

    def delivered(error: object, _message: object) -> None:
        if error is not None:
            failed.append(error)

    for record in records:
        key = record.split(b'"', STREAM_ID + 1)[STREAM_ID] if keyed else None
        while True:
            try:
                producer.produce(topic, record, key, partition=0, on_delivery=delivered)
            except BufferError:
                producer.poll(0.1)
            else:
                break
    left = producer.flush(FLUSH_SECONDS)
    if left or failed:
        raise RuntimeError(f"topic {topic}: {left} records were not taken, others failed: {failed[:1]}")


@contextmanager
def place(bootstrap: str) -> Iterator[Place]:
    """A fresh one."""
    made = Place(bootstrap)
    try:
        yield made
    finally:
        made.close()


def with_broker(measure: Callable[[str], int]) -> int:
    """Call this with a broker's host:port, and return its exit code.

    Where none can be had, say what to install, print no figures, and return 1 under CI=true, else 0.
    """
    context = found_kafka(OPTIONS)
    try:
        bootstrap = context.__enter__()
    except ServiceMissing as missing:
        print(missing, file=sys.stderr)
        print("{}")
        return int(os.environ.get("CI") == "true")
    try:
        return measure(bootstrap)
    finally:
        context.__exit__(None, None, None)

"""A journal on a real broker, what a relay makes of it, and what consumers of its topics see."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from shardlog.adapters.kafka.clients import consumer_config
from shardlog.adapters.kafka.commands import command_topics
from shardlog.adapters.kafka.journal import KafkaJournal
from shardlog.adapters.kafka.output_topics import output_topics
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.adapters.kafka.topics import KafkaTopics, journal_topic
from shardlog.ports.inputs import Input
from shardlog.relay.limits import PublisherLimits, RelayLimits
from shardlog.wiring.kafka.relaying import KafkaRelay
from tests.unit.executor.ledger import ledger
from tests.unit.projector.log import JOURNAL, LogWriter

ROOT = Path(__file__).parents[2]
SHARDS = 3
FRAME_BYTES_MAX = 1_048_576
WAIT_SECONDS = 60.0


class Seen(NamedTuple):
    """A record as a consumer sees it."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes]


class RelayedJournal:
    """A journal with all topics, a writer of frames, and relays that are started on it."""

    def __init__(self, broker: str, name: str, shards: int = SHARDS, application: Any = ledger) -> None:
        self.settings = KafkaSettings(bootstrap_servers=broker, journal=name)
        self.shards = shards
        self.application = application
        KafkaTopics(self.settings).create(
            [
                journal_topic(self.settings, shards, FRAME_BYTES_MAX),
                *command_topics(self.settings, shards, FRAME_BYTES_MAX),
                *output_topics(self.settings, shards, application.aggregates, FRAME_BYTES_MAX, FRAME_BYTES_MAX),
            ]
        )
        self.journal = KafkaJournal(self.settings, shards)

    def log(self) -> LogWriter:
        self.written = LogWriter(self.journal, self.shards)
        return self.written

    def wait_until_landed(self) -> None:
        """All that was written stands in the log: writers return at once."""
        for reader in self.written._readers:
            end = reader.position
            wait_until(lambda: self.journal.offsets(reader.shard)[1] >= end, "what was written landed")  # noqa: B023

    def relay(self, inputs: Sequence[Input] = (), journal_id: str = JOURNAL, **limits: Any) -> KafkaRelay:
        """A relay in this process, for reading on fast after an error."""
        return KafkaRelay(
            self.settings,
            self.journal,
            journal_id,
            self.shards,
            self.application,
            inputs,
            publisher_limits=PublisherLimits(retry_ms=20, retry_ms_max=100, checkpoint_ms=50, **limits),
            relay_limits=RelayLimits(retry_ms=20, retry_ms_max=100, checkpoint_ms=20),
        )

    def process(self, application: str, journal_id: str = JOURNAL, halts: int = 0) -> subprocess.Popen[bytes]:
        """A relay as a process of its own."""
        arguments = [application, str(self.shards), journal_id, self.settings.bootstrap_servers, self.settings.journal]
        arguments.append(str(halts))
        return subprocess.Popen(
            [sys.executable, "-m", "tests.services.kafka_relay_process", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )

    def seen(self, topic: str, isolation: str = "read_committed") -> list[Seen]:
        """All that a consumer sees of a topic that is at rest, by partition in the order of offsets.

        A transaction counts a moment after its commit has returned, so it is read to where the topic ends by then.
        """
        asking = Consumer(consumer_config(self.settings))
        partitions = range(len(asking.list_topics(topic, 10).topics[topic].partitions))
        ends = [_end(asking, TopicPartition(topic, number)) for number in partitions]
        asking.close()
        consumer = Consumer(consumer_config(self.settings) | {"isolation.level": isolation})
        found: list[Seen] = []
        consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in partitions])
        ended: set[int] = set()
        give_up = time.monotonic() + WAIT_SECONDS
        while len(ended) < len(partitions):
            assert time.monotonic() < give_up, f"the end of {topic} was not seen"
            message = consumer.poll(0.5)
            if message is None:
                continue
            error, partition, offset = message.error(), message.partition(), message.offset()
            assert partition is not None and offset is not None
            if error is None:
                headers: Any = dict(message.headers() or [])
                found.append(Seen(partition, offset, message.key(), message.value(), headers))
            else:
                assert error.code() == KafkaError._PARTITION_EOF, error
                if offset >= ends[partition]:
                    ended.add(partition)
        consumer.close()
        return sorted(found)

    def close(self) -> None:
        self.journal.close()


def _end(consumer: Consumer, partition: TopicPartition) -> int:
    """Where it ends now; a topic that was made a moment ago may have no leader yet."""
    give_up = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            return consumer.get_watermark_offsets(partition, timeout=10)[1]
        except KafkaException:
            if time.monotonic() > give_up:
                raise


def kill(process: subprocess.Popen[bytes]) -> None:
    """End it now, with SIGKILL."""
    process.kill()
    process.wait()
    assert process.stdin is not None and process.stdout is not None
    process.stdin.close()
    process.stdout.close()


def wait_until(condition: Callable[[], bool], what: object, within_s: float = WAIT_SECONDS) -> None:
    """Wait until it is so, or fail. what: for the message; asked for when it fails where it can be called."""
    give_up = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < give_up, f"not within {within_s} s: {what() if callable(what) else what}"
        time.sleep(0.01)

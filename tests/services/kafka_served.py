"""Executors that serve the bank from topics of a real broker, in this process; what they wrote, read by others."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any

import msgspec
from confluent_kafka import Consumer, Message, Producer, TopicPartition

from domain.banking import banking
from domain.banking.messages import Deposit
from shardlog import Application, Command
from shardlog.adapters.kafka.commands import KafkaInput, command_topics
from shardlog.adapters.kafka.journal import KafkaJournal
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.adapters.kafka.topics import KafkaTopics, journal_topic
from shardlog.codec.json import encode
from shardlog.executor.clock import SystemWorld
from shardlog.executor.core import ExecutorCore
from shardlog.executor.limits import Limits
from shardlog.executor.mode import Claimant
from shardlog.executor.requests import CommandRecord
from shardlog.executor.runner import Executor
from shardlog.executor.shard import ShardExecutor
from shardlog.executor.state import Shard
from shardlog.journal.envelope import body_of
from shardlog.journal.reader import FrameTaken, Reader
from shardlog.journal.records import decode_raw_frame
from shardlog.journal.writer import JournalWriter
from shardlog.ports.inputs import Input
from shardlog.sharding import shard_of

JOURNAL = "6a2f0d4e-53a1-4f0b-9d55-6f9f1d1f7a55"
SHARDS = 2
LEDGERS = [next(f"l{n}" for n in range(100) if shard_of(f"l{n}", SHARDS) == shard) for shard in range(SHARDS)]
"""By shard, the name of a ledger that belongs there."""
application = Application([banking])
SETTLE_SECONDS = 60.0


def made_topics(address: str, name: str, limits: Limits | None = None) -> KafkaSettings:
    """Topics of a journal of its own."""
    limits = limits or Limits()
    settings = KafkaSettings(bootstrap_servers=address, journal=name)
    topics = [
        journal_topic(settings, SHARDS, limits.frame_bytes_max),
        *command_topics(settings, SHARDS, limits.command_bytes_max),
    ]
    KafkaTopics(settings).create(topics)
    return settings


def envelope(id: str, body: Command = Deposit(amount=1), **more: Any) -> bytes:  # noqa: B008  # frozen
    """A command as the value of a record; `more` are its other fields."""
    fields: dict[str, Any] = {
        "format": 1,
        "category": "account",
        "id": id,
        "command": type(body).__wire_name__,
        "command_id": "",
        **dict.fromkeys(("tenant", "actor", "correlation", "causation", "traceparent", "reply_to"), ""),
        "expected_version": None,
        "occurred_at": None,
        "payload": msgspec.Raw(encode(body)),
        "origin": None,
    }
    return msgspec.json.encode(CommandRecord(**fields | more))


class Sending:
    """A producer in plain words: records into a partition that the test names, and their offsets."""

    def __init__(self, settings: KafkaSettings, **config: Any) -> None:
        self._topic = settings.commands_topic
        self.producer = Producer(
            {"bootstrap.servers": settings.bootstrap_servers, "message.max.bytes": settings.record_bytes_max, **config}
        )

    def put(
        self,
        value: bytes | None,
        partition: int = 0,
        headers: Mapping[str, bytes | None] | Sequence[tuple[str, bytes | None]] | None = None,
        topic: str = "",
    ) -> int:
        """The offset that it got."""
        landed: list[Message] = []
        self.producer.produce(
            topic or self._topic,
            value,
            partition=partition,
            headers=dict(headers) if isinstance(headers, Mapping) else list(headers) if headers else None,
            on_delivery=lambda error, message: landed.append(message) if error is None else None,
        )
        assert self.producer.flush(30) == 0
        (message,) = landed
        offset = message.offset()
        assert offset is not None
        return offset


class KafkaServed:
    """All shards, served inside of the `with` block. inputs: opened by whoever calls, closed here."""

    def __init__(
        self,
        settings: KafkaSettings,
        inputs: Sequence[Input] | None = None,
        limits: Limits | None = None,
        accepted_inputs: Sequence[str] = (),
    ) -> None:
        self.settings = settings
        self.inputs = [KafkaInput(settings, settings.commands_topic)] if inputs is None else list(inputs)
        self.name = self.inputs[0].name
        self.journal = KafkaJournal(settings, SHARDS)
        self.shards = {}
        for number in range(SHARDS):
            core = ExecutorCore(application, Shard(JOURNAL, number, SHARDS), limits or Limits(back_off_max_ms=500))
            writer = JournalWriter(Reader(JOURNAL, number, SHARDS))
            self.shards[number] = ShardExecutor(
                core, self.journal, writer, Claimant("test"), SystemWorld(), self.inputs, accepted_inputs
            )
        self.executor = Executor(self.shards)

    def __enter__(self) -> KafkaServed:
        try:
            self.executor.start(SETTLE_SECONDS)
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        self.executor.stop()
        for input in self.inputs:
            if isinstance(input, KafkaInput):
                input.close()
        self.journal.close()

    def settle(self, offset: int, shard: int = 0, input: str = "") -> None:
        """Wait until this record of an input is settled by an acknowledged frame."""
        wait_until(lambda: self.shards[shard].settled(input or self.name) > offset, f"offset {offset} is not settled")

    def state(self, id: str) -> Any:
        """An account as it stands in memory."""
        core = self.shards[shard_of(id.partition(":")[0], SHARDS)]._core
        slot = core.state.registry.categories["account"].slot(id)
        return None if slot is None else slot.state


def wait_until(is_so: Callable[[], bool], otherwise: str, within_s: float = SETTLE_SECONDS) -> None:
    """Wait for it; AssertionError with what is not so after the deadline."""
    give_up = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < give_up, otherwise
        time.sleep(0.005)


def frames(settings: KafkaSettings, shard: int) -> list[Any]:
    """The valid frames of a shard, read from the topic by nobody's code but the reader's rule."""
    journal = KafkaJournal(settings, SHARDS)
    reader = Reader(JOURNAL, shard, SHARDS)
    try:
        return [
            decode_raw_frame(body_of(value))
            for offset, value in journal.read(shard, 0)
            if isinstance(reader.pass_over(offset, value), FrameTaken)
        ]
    finally:
        journal.close()


def entries(settings: KafkaSettings, shard: int) -> list[Any]:
    """The entries of these frames, in order."""
    return [entry for frame in frames(settings, shard) for entry in frame.entries]


def values(settings: KafkaSettings, topic: str, partition: int, count: int) -> list[Message]:
    """The first records of a topic, as any consumer sees them."""
    consumer = Consumer(
        {"bootstrap.servers": settings.bootstrap_servers, "group.id": "looking", "enable.auto.commit": False}
    )
    consumer.assign([TopicPartition(topic, partition, 0)])
    found: list[Message] = []
    wait_until(lambda: bool(found.extend(consumer.consume(count, 0.2))) or len(found) >= count, "they are not there")
    consumer.close()
    return found

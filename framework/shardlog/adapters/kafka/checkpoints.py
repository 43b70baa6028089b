"""The checkpoints topic: how far relays have come, the newest record of each key, and from where that counts.

A carrier that does not know of a reset may store its checkpoint behind it. So each names the reset that it knew of, by
its offset, and those that name an older one count for nothing.
"""

from __future__ import annotations

import time
from typing import Literal, NamedTuple, TypeAlias

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from shardlog.adapters.kafka.clients import consumer_config
from shardlog.adapters.kafka.closing import close_behind
from shardlog.adapters.kafka.errors import Faults, is_for_good, kafka_error, kafka_errors, our_error
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.codec.json import NOT_DECODED
from shardlog.errors import ConfigurationError, JournalUnavailable
from shardlog.journal.records import Count
from shardlog.ports.checkpoints import Checkpoint

Role: TypeAlias = Literal["outputs", "sends"]
"""Whose checkpoint: the publisher's or the carrier's. Keys are `ROLE/SHARD`."""
PARTITION = 0
RESET_KEY = b"reset/sends"
"""Of the record that makes carriers begin at the journal's beginning."""
RESET_HEADER = "reset"
"""Of a checkpoint: the offset of the reset that its carrier knew of; it has none where there was none."""
NO_RESET = -1
POLL_SECONDS = 0.1
ASK_SECONDS = 1.0
BATCH_RECORDS = 500


class _Record(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A checkpoint as it is stored: behind what says so, the fields of `Checkpoint`."""

    what: Literal["shardlog"]
    format: Literal[1]
    kind: Literal["checkpoint"]
    journal: str
    shard: Count
    shards: Count
    next: Count
    epoch: Count
    nonce: str
    seq: Count
    head: str


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Record).decode


def checkpoint_record(role: Role, checkpoint: Checkpoint) -> tuple[bytes, bytes]:
    """Key and value."""
    return f"{role}/{checkpoint.shard}".encode(), _encode(_Record("shardlog", 1, "checkpoint", *checkpoint))


class _Known(NamedTuple):
    checkpoint: Checkpoint
    reset: int


class Stored(NamedTuple):
    """by_shard: the newest checkpoints that count. reset: the offset of the newest reset, NO_RESET where there is none.
    next: where the topic ended."""

    by_shard: dict[int, Checkpoint]
    reset: int
    next: int


def reset_headers(reset: int) -> list[tuple[str, str | bytes | None]]:
    """What says of a carrier's checkpoint which reset it knew of."""
    return [] if reset == NO_RESET else [(RESET_HEADER, b"%d" % reset)]


def read_checkpoints(settings: KafkaSettings, role: Role) -> Stored:
    """The newest of each shard, of all that was committed when this was called.

    Raises JournalUnavailable where that does not end in time, ConfigurationError where somebody must act.
    """
    topic, faults = settings.checkpoints_topic, Faults()
    doing = f"reading topic {topic}"
    with kafka_errors(settings, doing, faults):
        consumer = Consumer(consumer_config(settings) | {"isolation.level": "read_committed", "error_cb": faults.note})
    try:
        with kafka_errors(settings, doing, faults):
            end = _end(settings)
            consumer.assign([TopicPartition(topic, PARTITION, OFFSET_BEGINNING)])
            return _read(settings, consumer, role, end, faults)
    finally:
        close_behind(consumer)


def _end(settings: KafkaSettings) -> int:
    """Where the log ends, whether transactions before that are open or not: one that is must be waited for."""
    asking = Consumer(consumer_config(settings))
    partition = TopicPartition(settings.checkpoints_topic, PARTITION)
    give_up = time.monotonic() + settings.request_timeout_ms / 1000
    bounds = None
    try:
        while bounds is None and time.monotonic() < give_up:
            try:
                bounds = asking.get_watermark_offsets(partition, timeout=ASK_SECONDS)
            except KafkaException as error:
                if is_for_good(kafka_error(error)) or time.monotonic() > give_up:
                    raise
                asking.poll(POLL_SECONDS)  # its leader is just being chosen, or no broker answers
    finally:
        close_behind(asking)
    if bounds is None:
        raise JournalUnavailable(
            f"Kafka at {settings.listener}: asking for the end of topic {settings.checkpoints_topic} took longer than "
            f"{settings.request_timeout_ms} ms (request_timeout_ms)"
        )
    return bounds[1]


def _read(settings: KafkaSettings, consumer: Consumer, role: Role, end: int, faults: Faults) -> Stored:
    found: dict[int, _Known] = {}
    position, reset = 0, NO_RESET
    give_up = time.monotonic() + settings.read_timeout_ms / 1000
    while position < end:
        message = consumer.poll(POLL_SECONDS)
        messages = [] if message is None else [message, *consumer.consume(BATCH_RECORDS, 0)]
        for message in messages:
            offset = message.offset() or 0
            error = message.error()
            if error is None:
                if role == "sends" and message.key() == RESET_KEY:
                    reset = offset
                else:
                    _take(settings, message, role, found)
                position, give_up = offset + 1, time.monotonic() + settings.read_timeout_ms / 1000
            elif error.code() == KafkaError._PARTITION_EOF:
                position = max(position, offset)
            elif is_for_good(error):
                raise our_error(error, settings, f"reading topic {settings.checkpoints_topic}", faults)
        if position < end and time.monotonic() > give_up:
            raise our_error(
                KafkaError(
                    KafkaError._TIMED_OUT,
                    f"nothing committed came for {settings.read_timeout_ms} ms at offset {position}, and the topic "
                    f"ends at {end}: a transaction may be open there",
                ),
                settings,
                f"reading topic {settings.checkpoints_topic}",
                faults,
            )
    counting = {shard: known.checkpoint for shard, known in found.items() if known.reset == reset}
    return Stored(counting, reset, position)


def _take(settings: KafkaSettings, message: Message, role: Role, found: dict[int, _Known]) -> None:
    key, value = (message.key() or b"").decode(errors="replace"), message.value()
    kind, _, shard = key.partition("/")
    if kind != role or not shard.isdecimal():
        return
    if value is None:
        found.pop(int(shard), None)
        return
    try:
        record = _decode(value)
    except NOT_DECODED as error:
        raise ConfigurationError(
            f"topic {settings.checkpoints_topic}, offset {message.offset()}: the value under key {key!r} is no "
            f"checkpoint ({error}): only relays write there; write a checkpoint that is known to be right, or a record "
            "without a value, then all is published again"
        ) from error
    found[int(shard)] = _Known(Checkpoint(*msgspec.structs.astuple(record)[3:]), _reset_known(message))


def _reset_known(message: Message) -> int:
    named = dict(message.headers() or ()).get(RESET_HEADER)
    return int(named) if isinstance(named, bytes) and named.isdigit() else NO_RESET

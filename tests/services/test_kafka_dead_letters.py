"""Dead letters of records that are hard to write again: all of them are published, and none holds back another."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource

from shardlog.adapters.kafka.originals import KafkaOriginals
from shardlog.adapters.kafka.output_topics import output_topics
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.adapters.kafka.topics import KafkaTopics
from shardlog.errors import ConfigurationError
from shardlog.journal.records import Unreadable
from shardlog.relay.letter_records import KEY_BYTES_MAX, LETTER_OVERHEAD_BYTES_MAX
from tests.services.kafka_raw_headers import produce_raw
from tests.services.kafka_relayed import FRAME_BYTES_MAX, RelayedJournal, wait_until
from tests.services.test_kafka_publishing import published

LONG = 700_000


@pytest.fixture
def journal(kafka: str, journal_name: str) -> Iterator[RelayedJournal]:
    made = RelayedJournal(kafka, journal_name)
    yield made
    made.close()


def input_of(settings: KafkaSettings) -> str:
    topic = settings.commands_topic
    return f"kafka:{topic}:{KafkaTopics(settings).id_of(topic)}"


def in_order(settings: KafkaSettings, **more: object) -> Producer:
    """A producer whose records stand in the order of its calls, also where the broker takes one at a second trial."""
    return Producer({"bootstrap.servers": settings.bootstrap_servers, "enable.idempotence": True, **more})


def test_a_record_as_large_as_its_topic_takes_has_a_dead_letter_all_the_same(journal: RelayedJournal) -> None:
    settings = journal.settings
    producer = in_order(settings, **{"message.max.bytes": 2_097_152})
    headers = [("long", b"h" * LONG), ("trace", b"t-1")]
    producer.produce(settings.commands_topic, b"v" * 300_000, b"k" * LONG, 1, headers=headers)
    producer.produce(settings.commands_topic, b"behind it", b"key", 1)
    assert producer.flush(30) == 0
    name = input_of(settings)
    entries = [Unreadable(name, offset, "undecodable", "é" * 2_000) for offset in range(2)]
    journal.log().frame(1, entries)  # type: ignore[arg-type]  # it only encodes them
    published(journal)
    first, second = journal.seen(settings.dead_letters_topic)
    assert (first.key, first.value) == (b"k" * KEY_BYTES_MAX, b"v" * 300_000)
    assert first.headers["dead-letter-key-bytes"] == b"%d" % LONG
    assert first.headers["original-trace"] == b"t-1"
    assert first.headers["dead-letter-original-headers"] == b"1 of 2 left out, 700012 bytes in all"
    assert first.headers["dead-letter-message"].decode() == "é" * 512
    assert first.headers["dead-letter-cut-texts"] == b"message=4000"
    assert (second.key, second.value) == (b"key", b"behind it")


def test_a_header_name_that_is_no_text_costs_its_letter_the_headers_alone(journal: RelayedJournal) -> None:
    settings = journal.settings
    headers = [(b"trace", b"t-1"), (b"\xff\xfe", b"?")]
    produce_raw(settings.bootstrap_servers, settings.commands_topic, 1, b"\x00value", b"key", headers)
    producer = in_order(settings)
    producer.produce(settings.commands_topic, b"behind it", b"key", 1)
    assert producer.flush(30) == 0
    name = input_of(settings)
    entries = [Unreadable(name, offset, "undecodable", "no") for offset in range(2)]
    journal.log().frame(1, entries)  # type: ignore[arg-type]  # it only encodes them
    published(journal)
    first, second = journal.seen(settings.dead_letters_topic)
    assert (first.key, first.value) == (b"key", b"\x00value")
    assert b"unreadable: the name of a header is no UTF-8" in first.headers["dead-letter-original-headers"]
    assert first.headers["dead-letter-code"] == b"undecodable"
    assert second.value == b"behind it"


def test_a_record_that_came_behind_the_end_seen_before_is_found(journal: RelayedJournal) -> None:
    settings = journal.settings
    producer = Producer({"bootstrap.servers": settings.bootstrap_servers})
    name, originals = input_of(settings), KafkaOriginals(settings)
    for offset in range(20):
        producer.produce(settings.commands_topic, b"%d" % offset, partition=0)
        assert producer.flush(30) == 0
        found = originals.fetch(name, 0, offset)
        assert found is not None and found.value == b"%d" % offset
    for offset in range(20):
        assert originals.fetch(name, 1, 0) is None  # its end is seen
        found = originals.fetch(name, 0, offset)
        assert found is not None and found.value == b"%d" % offset
    originals.close()
    originals.close()


@pytest.mark.parametrize("which", ["replies_topic", "dead_letters_topic"])
def test_a_topic_that_does_not_take_the_largest_record_is_refused_by_name(journal: RelayedJournal, which: str) -> None:
    settings = journal.settings
    topic = getattr(settings, which)
    admin = AdminClient({"bootstrap.servers": settings.bootstrap_servers})
    entry = ConfigEntry("max.message.bytes", "1000", incremental_operation=AlterConfigOpType.SET)
    wanted = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[entry])
    for future in admin.incremental_alter_configs([wanted]).values():
        future.result(10)
    letter = 1_000_000 + LETTER_OVERHEAD_BYTES_MAX
    least = 1_024 + (letter if which == "dead_letters_topic" else FRAME_BYTES_MAX)
    topics = output_topics(settings, journal.shards, journal.application.aggregates, FRAME_BYTES_MAX, letter)
    said: list[str] = []

    def is_refused() -> bool:
        try:
            KafkaTopics(settings).check(topics)
        except ConfigurationError as error:
            said.append(str(error))
        return bool(said)

    wait_until(is_refused, "the setting is known, and refused")
    assert f"{topic}: max.message.bytes is 1000, and must be {least} or more" in said[0]


def test_letters_that_no_producer_takes_are_refused_by_setting() -> None:
    settings = KafkaSettings(bootstrap_servers="127.0.0.1:1", record_bytes_max=1_000_000)
    with pytest.raises(ConfigurationError, match=r"original_bytes_max, and kafka setting record_bytes_max is 1000000"):
        output_topics(settings, 1, [], 900_000, 1_000_000)

"""Shards that one consumer brings the records of: what is wrong with one holds up no other, on a real broker."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from shardlog.adapters.kafka import arriving
from shardlog.adapters.kafka.arrivals import Arrivals
from shardlog.adapters.kafka.commands import KafkaInput
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.errors import InputTruncated
from shardlog.telemetry.metrics import as_text, registry_of
from tests.services.kafka_served import LEDGERS, KafkaServed, Sending, envelope, made_topics, wait_until

AVRO = {"shardlog-category": b"account", "shardlog-stream": b"north:1", "shardlog-command": b"deposit"}


@pytest.fixture
def settings(kafka: str, journal_name: str) -> KafkaSettings:
    return made_topics(kafka, journal_name)


@pytest.fixture
def sending(settings: KafkaSettings) -> Sending:
    return Sending(settings)


@pytest.fixture
def opened() -> Iterator[Callable[..., Any]]:
    """Makes what is to be closed with the test."""
    made: list[Any] = []

    def open(kind: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        made.append(kind(*arguments, **options))
        return made[-1]

    yield open
    for one in made:
        one.close()


class Reader:
    """Reads shards on and on, and keeps what it found."""

    def __init__(self, read: Callable[[int, int, int], Any]) -> None:
        self.found: dict[int, list[tuple[int, bytes]]] = {0: [], 1: []}
        self._read = read

    def goes_on(self, shard: int, limit: int = 200) -> int:
        """How many records it has of this shard, after another look."""
        found = self.found[shard]
        found.extend(self._read(shard, found[-1][0] + 1 if found else 0, limit))
        return len(found)


def put(sending: Sending, topic: str, count: int, shard: int) -> None:
    for number in range(count):
        sending.producer.produce(topic, b"[%d]" % number, partition=shard)
    assert sending.producer.flush(30) == 0


def numbered(count: int) -> list[tuple[int, bytes]]:
    return [(number, b"[%d]" % number) for number in range(count)]


# -- shards beside one another ---------------------------------------------------------------------------------------
def test_shards_are_read_in_order_whatever_is_read_between_and_however_they_are_left(
    settings: KafkaSettings, sending: Sending, opened: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arriving, "RICH_RECORDS", 50)
    monkeypatch.setattr(arriving, "FULL_RECORDS", 100)
    monkeypatch.setattr("shardlog.adapters.kafka.arrivals.LEFT_SECONDS", 0.0)
    for shard in range(2):
        put(sending, settings.commands_topic, 3_000, shard)
    input = opened(KafkaInput, settings, settings.commands_topic)
    reader, random = Reader(input.read), Random(7)

    def reads_on() -> bool:
        shard = random.randrange(2)
        for _ in range(random.choice([1, 1, 30])):
            reader.goes_on(shard, random.choice([1, 20, 200]))
        if random.random() < 0.02:
            input.release(shard)
        return all(len(found) >= 3_000 for found in reader.found.values())

    wait_until(reads_on, "not all came")
    assert reader.found == {0: numbered(3_000), 1: numbered(3_000)}


def test_a_shard_that_nobody_reads_on_holds_up_no_other_and_loses_nothing(
    settings: KafkaSettings, sending: Sending, opened: Callable[..., Any]
) -> None:
    count = 3 * arriving.FULL_RECORDS
    put(sending, settings.commands_topic, count, 0)
    input = opened(KafkaInput, settings, settings.commands_topic)
    reader = Reader(input.read)
    wait_until(lambda: reader.goes_on(0, 1) > 0, "the first did not come")
    put(sending, settings.commands_topic, 1, 1)
    wait_until(lambda: reader.goes_on(1) == 1, "the other shard is held up")
    assert input._arrivals._shards[0].records <= arriving.FULL_RECORDS
    wait_until(lambda: reader.goes_on(0) == count, "not all came")
    assert reader.found[0] == numbered(count)


def test_while_it_is_found_out_where_one_shard_goes_on_another_is_read(
    settings: KafkaSettings, sending: Sending, opened: Callable[..., Any]
) -> None:
    put(sending, settings.commands_topic, 10, 0)
    admin = AdminClient({"bootstrap.servers": settings.bootstrap_servers})
    for future in admin.delete_records([TopicPartition(settings.commands_topic, 0, 4)]).values():
        future.result(30)
    asked: list[tuple[int, int]] = []
    may_answer = threading.Event()

    def out_of_range(shard: int, start: int) -> int:
        asked.append((shard, start))
        may_answer.wait(60)
        return 4

    arrivals = opened(Arrivals, settings, settings.commands_topic, None, lambda: None, out_of_range)
    reader = Reader(arrivals.take)
    wait_until(lambda: reader.goes_on(0) == 0 and bool(asked), "it was not seen that the offset is gone")
    put(sending, settings.commands_topic, 3, 1)
    wait_until(lambda: reader.goes_on(1) == 3, "the other shard is held up")
    assert not reader.goes_on(0) and asked == [(0, 0)]
    may_answer.set()
    wait_until(lambda: reader.goes_on(0) == 6, "it does not go on behind the gap")
    assert reader.found == {0: numbered(10)[4:], 1: numbered(3)}


def test_an_error_of_one_shard_is_raised_to_whoever_reads_that_one(
    settings: KafkaSettings, sending: Sending, opened: Callable[..., Any]
) -> None:
    put(sending, settings.commands_topic, 10, 0)
    admin = AdminClient({"bootstrap.servers": settings.bootstrap_servers})
    for future in admin.delete_records([TopicPartition(settings.commands_topic, 0, 4)]).values():
        future.result(30)
    input = opened(KafkaInput, settings, settings.commands_topic)
    reader = Reader(input.read)
    for number in range(3):
        with pytest.raises(InputTruncated, match="offset 0"):
            wait_until(lambda: reader.goes_on(0) > 0, "neither records nor an error")
        put(sending, settings.commands_topic, 1, 1)
        wait_until(lambda: reader.goes_on(1) == number + 1, "the other shard is held up")  # noqa: B023  # called at once


def test_a_schema_registry_that_does_not_answer_holds_up_the_shards_that_need_it_and_no_order_is_lost(
    settings: KafkaSettings, sending: Sending, opened: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arriving, "RICH_RECORDS", 2)  # fewer than wait for the registry
    asked, may_answer = threading.Event(), threading.Event()

    def read_avro(category: str, command: str, value: bytes) -> bytes:
        asked.set()
        may_answer.wait(60)
        return b'{"amount":%d}' % value[5]

    for shard, value in [(0, b"[0]"), (0, b"\0\0\0\0\1\7"), (0, b"[2]"), (0, b"\0\0\0\0\1\x09"), (1, b"[0]")]:
        sending.put(value, shard, AVRO if value[:1] == b"\0" else None)
    input = opened(KafkaInput, settings, settings.commands_topic, read_avro=read_avro)
    woken = threading.Event()
    input.on_arrival(woken.set)
    reader = Reader(input.read)
    wait_until(lambda: reader.goes_on(0) == 1 and asked.is_set(), "the registry is not asked")
    wait_until(lambda: reader.goes_on(1) == 1, "a shard that needs no registry is held up")
    assert reader.goes_on(0) == 1
    woken.clear()
    may_answer.set()
    assert woken.wait(60), "nobody is woken once it answers"
    wait_until(lambda: reader.goes_on(0) == 4, "it does not go on")
    assert [offset for offset, _ in reader.found[0]] == [0, 1, 2, 3]
    values = [value for _, value in reader.found[0]]
    assert values[0] == b"[0]" and values[2] == b"[2]" and b'{"amount":7}' in values[1] and b'{"amount":9}' in values[3]


# -- letting go, and how far there is to go --------------------------------------------------------------------------
def test_a_shard_that_is_released_is_fetched_no_more_until_it_is_read_again(
    settings: KafkaSettings, sending: Sending, opened: Callable[..., Any]
) -> None:
    put(sending, settings.commands_topic, 5, 0)
    arrivals = opened(Arrivals, settings, settings.commands_topic, None, lambda: None, lambda _shard, start: start)
    reader = Reader(arrivals.take)
    wait_until(lambda: reader.goes_on(0) == 5, "they did not come")
    put(sending, settings.commands_topic, 5, 0)
    wait_until(lambda: not arrivals._is_watched, "what came is not handed over")  # its client takes one call at a time
    assert [one.partition for one in arrivals._consumer.assignment()] == [0]
    arrivals.release(0)
    assert arrivals._consumer.assignment() == []
    wait_until(lambda: reader.goes_on(0) == 10, "it cannot be read again")


def test_a_shard_that_is_not_served_any_more_is_released(settings: KafkaSettings, sending: Sending) -> None:
    with KafkaServed(settings) as served:
        served.settle(sending.put(envelope(f"{LEDGERS[0]}:1")))
        (input,) = served.inputs
        assert isinstance(input, KafkaInput)
        wait_until(lambda: input.end(0) == 1, "the end of the input is not known")
        served.shards[0].drain()
        wait_until(lambda: input.end(0) is None, "a shard that has ended is still fetched")


def test_the_lag_of_an_input_is_seen_where_a_shard_does_not_keep_up(settings: KafkaSettings, sending: Sending) -> None:
    last = sending.put(envelope(f"{LEDGERS[0]}:1"))
    with KafkaServed(settings) as served:
        served.settle(last)
        registry = registry_of(lambda: served.executor.figures())
        name = f'{{input="kafka:{settings.commands_topic}",shard="0"}}'

        def lag() -> str:
            return as_text(registry).decode().partition(f"shardlog_input_lag_records{name} ")[2].partition("\n")[0]

        wait_until(lambda: lag() == "0.0", "the lag is not 0")
        served.executor.stop()
        reader = Reader(served.inputs[0].read)
        put(sending, settings.commands_topic, 7, 0)
        wait_until(lambda: reader.goes_on(0) == 8 and lag() == "7.0", "the lag of what is not settled is not seen")

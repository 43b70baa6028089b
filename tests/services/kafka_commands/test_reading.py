"""A reader of a commands topic gets what stands there, wherever it goes."""

from __future__ import annotations

import time
from collections.abc import Callable
from random import Random

import pytest

from shardlog.adapters.kafka.commands import KafkaInput
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.adapters.kafka.topics import KafkaTopics
from tests.services.kafka_commands.commands_topic import HERE, open_in_headers, read_all
from tests.services.kafka_served import Sending, wait_until


def test_wherever_a_reader_goes_it_gets_what_stands_there_without_gap_or_repeat(
    settings: KafkaSettings, opened: Callable[..., KafkaInput]
) -> None:
    sending = Sending(settings)
    count = 5_000
    for number in range(count):
        sending.producer.produce(settings.commands_topic, b"[%d]" % number, partition=0)
    assert sending.producer.flush(30) == 0
    input = opened(settings)
    assert read_all(input, count) == [(number, b"[%d]" % number) for number in range(count)]
    random = Random(5)
    for _ in range(12):
        start, limit = random.randrange(count - 300), random.choice([1, 7, 200])
        input.read(0, random.randrange(start, count), limit)  # it goes elsewhere, and is called away at once
        found = read_all(input, random.randrange(1, 300), start, limit)
        assert found == [(number, b"[%d]" % number) for number in range(start, start + len(found))]


def test_what_was_given_is_given_again_until_a_later_start_is_asked_for(
    settings: KafkaSettings, opened: Callable[..., KafkaInput]
) -> None:
    sending = Sending(settings)
    for number in range(6):
        sending.put(b"[%d]" % number)
    input = opened(settings)
    wait_until(lambda: len(input.read(0, 0, 4)) == 4, "four records did not come")
    assert [offset for offset, _ in input.read(0, 2, 2)] == [2, 3]
    assert [offset for offset, _ in input.read(0, 2, 2)] == [2, 3]
    assert [offset for offset, _ in read_all(input, 6)] == list(range(6))


def test_what_reads_avro_may_fail_for_a_while_and_no_record_is_passed_over(
    settings: KafkaSettings, opened: Callable[..., KafkaInput]
) -> None:
    answers: list[bytes] = []

    def read_avro(category: str, command: str, value: bytes) -> bytes:
        if not answers:
            raise TimeoutError("the registry does not answer")
        return answers.pop()

    sending = Sending(settings)
    sending.put(b"[0]")
    sending.put(b"\0\0\0\0\1\2", headers={**open_in_headers(HERE), "shardlog-command": b"deposit"})
    sending.put(b"[2]")
    input = opened(settings, read_avro=read_avro)
    assert [offset for offset, _ in read_all(input, 1)] == [0]
    for _ in range(2):
        with pytest.raises(TimeoutError):
            wait_until(lambda: bool(input.read(0, 1, 10)), "it neither reads nor fails")
    answers.append(b'{"amount":5}')
    found = read_all(input, 2, start=1)
    assert [offset for offset, _ in found] == [1, 2]
    assert b'{"amount":5}' in found[0][1]


def test_a_reader_that_finds_nothing_is_woken_by_what_comes(
    settings: KafkaSettings, opened: Callable[..., KafkaInput]
) -> None:
    sending = Sending(settings)
    input = opened(settings)
    woken: list[float] = []
    input.on_arrival(lambda: woken.append(time.monotonic()))
    for number in range(3):
        assert not input.read(0, number, 10)
        assert len(woken) == number
        sending.put(b"[1]")
        wait_until(lambda: len(woken) == number + 1, "nobody was woken")  # noqa: B023  # called at once
        assert [offset for offset, _ in input.read(0, number, 10)] == [number]


def test_the_id_of_a_topic_is_that_of_the_cluster(settings: KafkaSettings, opened: Callable[..., KafkaInput]) -> None:
    input = opened(settings)
    assert input.name == f"kafka:{settings.commands_topic}:{KafkaTopics(settings).id_of(settings.commands_topic)}"
    assert not input.carries_sends

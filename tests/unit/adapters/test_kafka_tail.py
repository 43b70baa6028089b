"""What a reader of the journal makes of what the client library gives it: records, ends and errors in any order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from confluent_kafka import KafkaError, Message

from shardlog.adapters.kafka import reading
from shardlog.adapters.kafka.reading import Tail
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.errors import Corrupt, JournalRefused

SETTINGS = KafkaSettings(bootstrap_servers="127.0.0.1:1", journal="bank")


def record(offset: int) -> Message:
    return Message(topic=SETTINGS.journal_topic, partition=0, offset=offset, value=b"%d" % offset)


def error(code: int) -> Message:
    return Message(topic=SETTINGS.journal_topic, partition=0, offset=-1, error=KafkaError(code))


class Scripted:
    """In the client library's place: it gives these messages, and forgets what was given, as that does."""

    messages: list[Message]

    def __init__(self, _config: dict[str, Any]) -> None:
        pass

    def assign(self, _partitions: Sequence[object]) -> None:
        pass

    def poll(self, _timeout: float) -> Message | None:
        return self.messages.pop(0) if self.messages else None

    def consume(self, count: int, _timeout: float) -> list[Message]:
        given, self.messages[:] = self.messages[:count], self.messages[count:]
        return given


@pytest.fixture
def tail(monkeypatch: pytest.MonkeyPatch) -> Tail:
    monkeypatch.setattr(reading, "Consumer", Scripted)
    return Tail(SETTINGS, 0, 0)


def taken(tail: Tail) -> list[int]:
    offsets: list[int] = []
    while (found := tail.next()) is not None:
        offsets.append(found[0])
    return offsets


@pytest.mark.parametrize("code", [KafkaError._UNKNOWN_PARTITION, KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN])
def test_an_error_that_passes_between_records_costs_none_of_them(tail: Tail, code: int) -> None:
    Scripted.messages = [record(0), record(1), error(code), record(2), record(3), error(code)]
    assert taken(tail) == [0, 1, 2, 3]
    assert tail.position == 4


def test_records_before_an_error_that_stays_are_given_and_nothing_behind_it(tail: Tail) -> None:
    Scripted.messages = [record(0), record(1), error(KafkaError._BAD_MSG), record(2)]
    assert tail.next() == (0, b"0")
    assert tail.next() == (1, b"1")
    with pytest.raises(Corrupt, match="shard 0, offset 2"):
        tail.next()


def test_brokers_that_refuse_this_user_are_said_to(tail: Tail) -> None:
    Scripted.messages = [error(KafkaError.TOPIC_AUTHORIZATION_FAILED)]
    with pytest.raises(JournalRefused):
        tail.next()

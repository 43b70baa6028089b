"""Avro of one shard, decoded beside the reading, whatever happens to the shard meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from confluent_kafka import Message

from shardlog.adapters.kafka.arriving import Arriving
from shardlog.adapters.kafka.decoding import Decoding
from shardlog.errors import JournalUnavailable

WITHIN_SECONDS = 30.0


class Shard:
    """One shard with its thread. The registry answers when it is let."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.arriving = Arriving(0, 1_000_000)
        self.asked = threading.Semaphore(0)
        self.may_answer = threading.Semaphore(0)
        self.decoding = Decoding(self.arriving, self.lock, self._record, Arriving.stop, lambda: None)

    def bring(self, *offsets: int) -> None:
        """The client library has these."""
        with self.lock:
            for offset in offsets:
                self.arriving.put_off(offset, Message(topic="c", partition=0, offset=offset, value=b"\0"), 1)
        self.decoding.wake()

    def held(self) -> list[int]:
        with self.lock:
            return [offset for offset, _ in self.arriving.held]

    def _record(self, message: Message) -> bytes:
        self.asked.release()
        self.may_answer.acquire()
        return b"%d" % (message.offset() or 0)


@pytest.fixture
def shard() -> Iterator[Shard]:
    made = Shard()
    yield made
    made.arriving.is_released = True
    made.may_answer.release(1_000)
    made.decoding.wake()


def until(is_so: Callable[[], bool]) -> None:
    give_up = time.monotonic() + WITHIN_SECONDS
    while not is_so():
        assert time.monotonic() < give_up, "it does not come"
        time.sleep(0.005)


def test_what_is_being_decoded_when_the_shard_is_stopped_is_dropped_and_the_next_is_decoded(shard: Shard) -> None:
    shard.bring(0, 1)
    assert shard.asked.acquire(timeout=WITHIN_SECONDS)
    with shard.lock:
        shard.arriving.stop(JournalUnavailable("the brokers are away"))
    shard.may_answer.release(2)
    assert shard.asked.acquire(timeout=WITHIN_SECONDS)
    with shard.lock:
        shard.arriving.begin(0)
    shard.bring(0, 1, 2)
    shard.may_answer.release(3)
    until(lambda: shard.held() == [0, 1, 2])


def test_records_that_wait_for_a_registry_do_not_make_a_shard_rich(
    shard: Shard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shardlog.adapters.kafka.arriving.RICH_RECORDS", 2)
    shard.bring(0, 1, 2)
    assert not shard.arriving.is_rich
    shard.may_answer.release(3)
    until(lambda: shard.held() == [0, 1, 2])
    assert shard.arriving.is_rich

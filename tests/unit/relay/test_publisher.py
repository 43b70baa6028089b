"""The publisher over faults of its topics: what stands there is complete, each output once."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from shardlog.adapters.memory.journal import MemoryJournal
from shardlog.adapters.memory.outputs import MemoryOutputs, MemoryTopics
from shardlog.errors import Diverged, JournalUnavailable, OutputsFailed, PublisherReplaced, UnknownFormat
from shardlog.journal.records import Unreadable
from shardlog.ports.checkpoints import Checkpoint
from shardlog.ports.originals import Original, Originals
from shardlog.relay.limits import PublisherLimits
from shardlog.relay.publisher import Publisher
from shardlog.relay.publishing import JSON_EVENTS, EventForm, Publishing
from tests.unit.executor.ledger import Deposited, ledger
from tests.unit.projector.log import JOURNAL, LogWriter

SHARDS = 3
STREAMS = [f"{name}:1" for name in "abcdefgh"]


class Kept(Originals):
    """Originals that are away for the first questions."""

    def __init__(self, original: Original | None = None, away: int = 0) -> None:
        self._original = original
        self._away = away

    def fetch(self, input: str, shard: int, offset: int) -> Original | None:
        self._away -= 1
        if self._away >= 0:
            raise JournalUnavailable("no broker answers")
        return self._original


class World:
    """A journal, topics, and a clock that goes on with each look at it."""

    def __init__(self) -> None:
        self.journal = MemoryJournal(SHARDS)
        self.log = LogWriter(self.journal, SHARDS)
        self.topics = MemoryTopics()
        self.ms = 0.0

    def now_ms(self) -> float:
        self.ms += 0.01
        return self.ms

    def publisher(
        self, originals: Originals | None = None, events: EventForm = JSON_EVENTS, **limits: Any
    ) -> Publisher:
        publishing = Publishing(ledger, "bank", events)
        return Publisher(
            self.journal,
            JOURNAL,
            SHARDS,
            publishing,
            MemoryOutputs(self.topics),
            originals or Kept(),
            self.now_ms,
            PublisherLimits(**{"retry_ms": 0, "checkpoint_ms": 0, **limits}),
        )

    def write(self, frames: int) -> None:
        for n in range(frames):
            self.log.happened(*((id, Deposited(amount=n + 1)) for id in STREAMS))

    def ids(self) -> list[str]:
        return [dict(record.headers)["ce_id"].decode() for record in self.topics.published]


def run(publisher: Publisher, steps: int = 10_000) -> None:
    for _ in range(steps):
        publisher.step()
        if publisher.behind() == 0:
            return
    raise AssertionError(publisher.errors)


@pytest.mark.parametrize("seed", range(20))
def test_over_any_faults_and_restarts_each_event_stands_there_once_and_in_order(seed: int) -> None:
    random, world = Random(seed), World()
    publishers = [world.publisher(transaction_records_max=random.choice([1, 7, 1_000])) for _ in range(2)]
    for _ in range(60):
        world.write(random.randrange(3))
        world.topics.faults.extend(random.choices(["", "lost", "landed"], k=2))
        which = random.randrange(2)
        if random.random() < 0.1:
            publishers[which] = world.publisher()
        publishers[which].step()
    world.topics.faults.clear()
    run(world.publisher())
    assert len(world.ids()) == len(set(world.ids())) == sum(world.log._versions.values())
    for stream in STREAMS:
        headers = [dict(record.headers) for record in world.topics.published]
        versions = [int(found["ce_version"]) for found in headers if found["ce_subject"] == stream.encode()]
        assert versions == list(range(1, len(versions) + 1))


def test_a_transaction_holds_no_more_than_its_limit_and_a_frame() -> None:
    world = World()
    world.write(20)
    publisher = world.publisher(transaction_records_max=5)
    publisher.step()
    assert 5 <= len(world.topics.published) <= 5 + len(STREAMS)


def test_nothing_is_written_where_nothing_is_new_and_checkpoints_move_over_what_says_nothing() -> None:
    world = World()
    world.log.append(1, b"garbage")
    run(world.publisher())
    assert world.topics.outputs[1].next == 2
    assert world.topics.published == []
    world.topics.faults.append("lost")
    world.publisher().step()
    assert list(world.topics.faults) == ["lost"]


def test_who_was_replaced_says_so_waits_longer_each_time_and_takes_over_again() -> None:
    world = World()
    first = world.publisher(retry_ms=100, replaced_ms_max=350)
    waits = []
    for _ in range(4):
        world.write(1)
        run(first)
        world.publisher().step()  # another begins
        world.write(1)
        first.step()
        assert isinstance(first.errors["the topics"], PublisherReplaced)
        began = world.ms
        while first.errors:
            world.ms += 10
            first.step()
        waits.append(round((world.ms - began) / 50) * 50)
    assert waits == [100, 200, 350, 350]
    assert len(set(world.ids())) == len(world.ids())


def test_a_record_of_a_newer_format_stops_its_shard_alone() -> None:
    world = World()
    world.journal.writer(1).append(b'["shardlog",2,"frame"]', lambda _report: None)
    world.write(1)
    publisher = world.publisher()
    publisher.step()
    assert isinstance(publisher.errors["shard 1"], UnknownFormat)
    assert {record.partition for record in world.topics.published} == {0, 2}
    assert world.topics.outputs[1].next == 1


def test_a_checkpoint_of_another_journal_or_beyond_the_end_is_refused() -> None:
    for stored in (
        Checkpoint("1d9ab5de-9d0b-4b57-8d6f-6a4a7f6b6a11", 0, SHARDS, 1, 1, "ab" * 16, 0, "0" * 64),
        Checkpoint(JOURNAL, 0, SHARDS + 1, 1, 1, "ab" * 16, 0, "0" * 64),
        Checkpoint(JOURNAL, 0, SHARDS, 99, 1, "ab" * 16, 0, "0" * 64),
    ):
        world = World()
        world.topics.outputs[0] = stored
        publisher = world.publisher()
        publisher.step()
        assert [type(error) for error in publisher.errors.values()] == [Diverged]


def test_a_dead_letter_waits_until_its_record_can_be_read() -> None:
    world = World()
    world.log.frame(0, [Unreadable("kafka:t:1", 4, "undecodable", "no")])  # type: ignore[list-item]  # it only encodes
    publisher = world.publisher(Kept(Original(b"x" * 30, None, [("a", None)]), away=2), original_bytes_max=10)
    publisher.step()
    assert isinstance(publisher.errors["shard 0"], JournalUnavailable)
    assert world.topics.published == []
    run(publisher)
    (letter,) = world.topics.published
    headers = dict(letter.headers)
    assert letter.value == b"x" * 10
    assert (headers["dead-letter-bytes"], headers["original-a"]) == (b"30", b"")
    assert headers["dead-letter-code"] == b"undecodable"


def test_an_event_is_written_as_it_is_told() -> None:
    world = World()
    world.log.happened(("a:1", Deposited(amount=7)))
    avro = EventForm("application/avro", lambda kind, data: kind.encode() + b"|" + data)
    run(world.publisher(events=avro))
    (record,) = world.topics.published
    assert record.value == b'account/deposited/1|{"amount":7}'
    assert dict(record.headers)["content-type"] == b"application/avro"
    assert record.topic == "events.account"


def test_an_error_of_the_topics_stands_in_errors_until_it_is_over() -> None:
    world = World()
    world.write(1)
    world.topics.faults.append("lost")
    publisher = world.publisher()
    publisher.step()
    assert isinstance(publisher.errors["the topics"], OutputsFailed)
    run(publisher)
    assert publisher.errors == {}


def test_topics_that_fail_again_and_again_are_left_alone_for_longer_each_time() -> None:
    world = World()
    world.write(1)
    world.topics.faults.extend(["lost"] * 6)
    publisher = world.publisher(retry_ms=100, retry_ms_max=350)
    waits = []
    for left in range(5, -1, -1):
        began = world.ms
        while len(world.topics.faults) > left:
            publisher.step()
            world.ms += 10
        waits.append(round((world.ms - began) / 50) * 50)
    assert waits == [0, 0, 100, 200, 350, 350]  # the first is tried again at once
    world.ms += 350
    run(publisher)
    world.write(1)
    world.topics.faults.append("lost")
    publisher.step()
    run(publisher, steps=3)  # it had succeeded, so this one is a first again
    assert len(set(world.ids())) == len(world.ids()) == 2 * len(STREAMS)


class Damaged(MemoryJournal):
    """Its first shard cannot be read."""

    reads = 0

    def read(self, shard: int, start: int) -> Iterator[tuple[int, bytes]]:
        if shard == 0:
            self.reads += 1
            raise JournalUnavailable("nothing came for 5000 ms")
        return super().read(shard, start)


def test_a_shard_that_cannot_be_read_is_asked_ever_more_seldom_and_holds_back_no_other() -> None:
    world = World()
    world.journal = damaged = Damaged(SHARDS)
    world.log = LogWriter(damaged, SHARDS)
    publisher = world.publisher(retry_ms=100, retry_ms_max=1_000)
    for _ in range(100):
        world.write(1)
        publisher.step()
        world.ms += 100
    assert 10 < damaged.reads < 20  # after 100, 200, 400, 800 ms, then every second
    ends = [damaged.offsets(shard)[1] for shard in (1, 2)]
    assert [world.topics.outputs[shard].next for shard in (1, 2)] == ends

"""What the relay publishes on a real broker: events as CloudEvents, replies, dead letters, each once."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from random import Random

import msgspec
import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event
from confluent_kafka import Producer

from shardlog.adapters.kafka.topics import KafkaTopics
from shardlog.codec.json import encode
from shardlog.errors import Diverged, PublisherReplaced
from shardlog.journal.records import Unreadable
from tests.services.kafka_relayed import RelayedJournal, Seen, kill, wait_until
from tests.unit.executor.ledger import Deposited
from tests.unit.projector.log import JOURNAL, TIME, LogWriter

KILLS = 10
STREAMS = [f"{ledger}:{number}" for ledger in "abcdef" for number in range(3)]


@pytest.fixture
def journal(kafka: str, journal_name: str) -> Iterator[RelayedJournal]:
    made = RelayedJournal(kafka, journal_name)
    yield made
    made.close()


def published(journal: RelayedJournal) -> None:
    """Let a relay publish all there is, then end it."""
    journal.wait_until_landed()
    relay = journal.relay()
    relay.start()
    wait_until(
        lambda: relay.publisher.behind() == 0,
        lambda: f"{relay.publisher.behind()} behind, {relay.publisher.published} published, {relay.errors}",
    )
    relay.stop(5_000)
    assert relay.errors == {}


def events_of(journal: RelayedJournal, isolation: str = "read_committed") -> list[Seen]:
    return journal.seen(journal.settings.events_topic("account"), isolation)


def position_of(seen: Seen) -> tuple[int, int, int]:
    _, shard, offset, index = seen.headers["ce_id"].decode().split(".")
    return int(shard), int(offset), int(index)


def recorded(journal: RelayedJournal) -> Counter[str]:
    """Ids of all events of the journal, read from its frames as they stand there."""
    ids: Counter[str] = Counter()
    for shard in range(journal.shards):
        for offset, value in journal.journal.read(shard, 0):
            record = json.loads(value)
            if record[2] != "frame":
                continue
            index = 0
            for entry in record[10][2]:
                events = entry[15] if entry[0] == "a" else []
                ids.update(f"{JOURNAL}.{shard}.{offset}.{index + n}" for n in range(len(events)))
                index += max(1, len(events))
    return ids


def test_an_event_is_a_cloud_event_that_another_reader_understands(journal: RelayedJournal) -> None:
    log = journal.log()
    (offset,) = log.happened(("a:1", Deposited(amount=7)), occurred_at=TIME)
    published(journal)
    (seen,) = events_of(journal)
    assert seen.key == b"a"
    assert seen.partition == log.shard_of("a:1")
    event = from_binary_event(KafkaMessage(headers=seen.headers, key=seen.key, value=seen.value or b""))
    assert event.get_specversion() == "1.0"
    assert event.get_id() == f"{JOURNAL}.{seen.partition}.{offset}.0"
    assert event.get_source() == f"urn:shardlog:{journal.settings.journal}"
    assert event.get_type() == "account/deposited/1"
    assert event.get_subject() == "a:1"
    assert int(event.get_time().timestamp() * 1_000_000) == TIME  # type: ignore[union-attr]  # it has one
    assert event.get_datacontenttype() == "application/json"
    assert event.get_data() == {"amount": 7}
    assert event.get_extension("version") == "1"
    assert event.get_extension("tenant") == "acme"
    assert event.get_extension("actor") == "ann"
    assert event.get_extension("correlationid") == event.get_extension("commandid") == f"c-{TIME}"


def test_a_command_that_asks_for_a_reply_gets_what_http_would_answer(journal: RelayedJournal) -> None:
    log = journal.log()
    accepted = msgspec.structs.replace(log.accepted("a:1", Deposited(amount=7)), reply_to="caller-1")
    refused = msgspec.structs.replace(log.rejected("a:1", "insufficient_funds"), reply_to="caller-2")
    shard = log.shard_of("a:1")
    offset = log.frame(shard, [accepted, refused])
    published(journal)
    first, second = journal.seen(journal.settings.replies_topic)
    assert (first.key, second.key) == (b"caller-1", b"caller-2")
    assert json.loads(first.value or b"") == {
        "status": 200,
        "command_id": accepted.command_id,
        "events": [{"type": "deposited", "version": 1, "data": {"amount": 7}}],
        "version": 1,
        "token": f"{JOURNAL}.{shard}.{offset}.0",
    }
    assert json.loads(second.value or b"") == {
        "command_id": refused.command_id,
        "type": "urn:shardlog:insufficient_funds",
        "title": "Conflict",
        "status": 409,
        "code": "insufficient_funds",
        "detail": "no",
        "token": f"{JOURNAL}.{shard}.{offset}.1",
    }
    assert second.headers["content-type"] == b"application/problem+json"


def test_a_dead_letter_holds_the_reason_and_the_record_as_its_producer_wrote_it(journal: RelayedJournal) -> None:
    topic = journal.settings.commands_topic
    producer = Producer({"bootstrap.servers": journal.settings.bootstrap_servers})
    producer.produce(topic, b"\x00\xffno command", b"key", 1, headers=[("trace", b"t-1")])
    producer.flush(10)
    log = journal.log()
    name = f"kafka:{topic}:{KafkaTopics(journal.settings).id_of(topic)}"
    gone = f"kafka:{topic}:other"
    entries = [Unreadable(name, 0, "undecodable", "no JSON"), Unreadable(gone, 5, "too_large", "too long")]
    offset = log.frame(1, entries)  # type: ignore[arg-type]  # it only encodes them
    published(journal)
    first, second = journal.seen(journal.settings.dead_letters_topic)
    assert (first.key, first.value) == (b"key", b"\x00\xffno command")
    assert first.headers["original-trace"] == b"t-1"
    assert first.headers["dead-letter-code"] == b"undecodable"
    assert first.headers["dead-letter-message"] == b"no JSON"
    assert first.headers["dead-letter-position"] == f"{JOURNAL}.1.{offset}.0".encode()
    assert first.headers["dead-letter-input"] == name.encode()
    assert second.value is None
    assert second.headers["dead-letter-code"] == b"too_large"
    assert second.headers["dead-letter-original"] == b"gone"


def write_under_load(log: LogWriter, stop: threading.Event) -> None:
    random = Random(3)
    while not stop.wait(0.005):
        log.happened(*((random.choice(STREAMS), Deposited(amount=n + 1)) for n in range(random.randrange(1, 12))))


def test_every_event_arrives_once_and_in_order_over_kills_at_random_points(journal: RelayedJournal) -> None:
    log = journal.log()
    stop = threading.Event()
    writing = threading.Thread(target=write_under_load, args=(log, stop))
    writing.start()
    random = Random(11)
    try:
        for run in range(KILLS):
            halts = random.randrange(1, 8) if run % 2 else 0
            process = journal.process("ledger", halts=halts)
            assert process.stdout is not None
            said = iter(process.stdout.readline, b"")
            if halts:
                assert b"halted\n" in said
            else:
                for _ in range(random.randrange(2, 12)):
                    assert next(said)
                threading.Event().wait(random.random() * 0.03)  # anywhere in a transaction
            kill(process)
    finally:
        stop.set()
        writing.join()
    published(journal)
    check_each_once(journal)
    doubled = Counter(seen.headers["ce_id"] for seen in events_of(journal, "read_uncommitted"))
    assert max(doubled.values()) > 1, "no kill found a transaction under way, so this shows nothing"
    assert len(doubled) > 1_000


def check_each_once(journal: RelayedJournal) -> None:
    seen = events_of(journal)
    assert Counter(one.headers["ce_id"].decode() for one in seen) == recorded(journal)
    for partition in range(journal.shards):
        positions = [position_of(one) for one in seen if one.partition == partition]
        assert positions == sorted(positions)
        assert {shard for shard, _, _ in positions} <= {partition}
    versions: dict[bytes, int] = {}
    for one in seen:
        stream = one.headers["ce_subject"]
        assert int(one.headers["ce_version"]) == versions.get(stream, 0) + 1
        versions[stream] = int(one.headers["ce_version"])


def test_two_relays_at_once_replace_each_other_and_double_nothing(journal: RelayedJournal) -> None:
    log = journal.log()
    stop = threading.Event()
    writing = threading.Thread(target=write_under_load, args=(log, stop))
    relays = [journal.relay(replaced_ms_max=100) for _ in range(2)]
    replaced: set[int] = set()

    def both_replaced() -> bool:
        for number, relay in enumerate(relays):
            if any(isinstance(error, PublisherReplaced) for error in relay.errors.values()):
                replaced.add(number)
        return replaced == {0, 1}

    writing.start()
    for relay in relays:
        relay.start()
    try:
        wait_until(both_replaced, "each was replaced")
    finally:
        stop.set()
        writing.join()
        for relay in relays:
            relay.stop(5_000)
    published(journal)
    check_each_once(journal)


def test_a_checkpoint_beyond_the_logs_end_stops_the_shard_and_says_so(journal: RelayedJournal, kafka: str) -> None:
    log = journal.log()
    log.happened(("a:1", Deposited(amount=7)))
    published(journal)
    shard = log.shard_of("a:1")
    producer = Producer({"bootstrap.servers": kafka})
    stored = {one.key: one.value for one in journal.seen(journal.settings.checkpoints_topic)}
    fields = json.loads(stored[f"outputs/{shard}".encode()] or b"")
    fields[6] += 100
    producer.produce(journal.settings.checkpoints_topic, encode(fields), f"outputs/{shard}".encode(), 0)
    producer.flush(10)
    relay = journal.relay()
    wait_until(lambda: relay.publisher.step() or bool(relay.publisher.errors), "an error")
    (error,) = relay.publisher.errors.values()
    assert isinstance(error, Diverged)
    assert "rebuild the publisher" in str(error)
    relay.stop(1_000)


def test_nothing_is_published_twice_after_a_relay_has_ended(journal: RelayedJournal) -> None:
    log = journal.log()
    for n in range(50):
        log.happened(*((id, Deposited(amount=n + 1)) for id in STREAMS))
    published(journal)
    published(journal)
    assert len(events_of(journal, "read_uncommitted")) == 50 * len(STREAMS)
    check_each_once(journal)

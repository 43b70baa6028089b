"""A real faust worker stops, and says what is to be done, where going on would leave out or double an event."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from sqlalchemy import create_engine

from domain.banking.messages import Deposited
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.adapters.kafka.topics import KafkaTopics, Topic
from shardlog.faust import SqlSink, events_topic, published_app
from shardlog.testing.services.kafka.forgetting import delete_topics
from tests.services.bank_process import application
from tests.services.faust_worker import FaustWorker, sums
from tests.services.kafka_relayed import JOURNAL, RelayedJournal, Seen, kill, wait_until

STREAMS = [f"{ledger}:1" for ledger in "abcdef"]
EXPECTED = dict.fromkeys(STREAMS, (2, 3))


@pytest.fixture
def journal(kafka: str, journal_name: str) -> Iterator[RelayedJournal]:
    made = RelayedJournal(kafka, journal_name, application=application)
    yield made
    made.close()


@pytest.fixture
def database(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'sums.sqlite'}"


def test_an_event_that_the_code_lacks_ends_the_worker_and_is_not_skipped(
    journal: RelayedJournal, database: str, tmp_path: Path
) -> None:
    topic = happened(journal)
    (first, *_) = journal.seen(topic)
    headers = first.headers | {"ce_type": b"account/gilded/1", "ce_id": f"{JOURNAL}.{first.partition}.900.0".encode()}
    produce(journal.settings, topic, first._replace(headers=headers))
    for _ in range(2):  # a second worker meets it too
        assert "account/gilded/1 is unknown" in finished(FaustWorker(journal, database, tmp_path))


def test_a_topic_that_was_made_anew_is_refused_until_it_is_said_that_it_may_be_read(
    journal: RelayedJournal, database: str, tmp_path: Path
) -> None:
    topic = happened(journal)
    written(journal, database, tmp_path)
    events = journal.seen(topic)
    delete_topics(journal.settings.bootstrap_servers, [topic])
    KafkaTopics(journal.settings).create([Topic(topic, journal.shards, {})])
    for event in events:
        produce(journal.settings, topic, event._replace(key=b"moved"))
        produce(journal.settings, topic, event)
    assert "was deleted and made again" in finished(FaustWorker(journal, database, tmp_path))
    sink_of(journal, database, tmp_path).read_anew()
    produce(journal.settings, topic, events[0]._replace(headers=events[0].headers | new_event(events[0])))
    with ExitStack() as ends:
        ends.callback(FaustWorker(journal, database, tmp_path).kill)
        subject = events[0].headers["ce_subject"].decode()
        amount = 1 if events[0].value == b'{"amount":1}' else 2
        expected = EXPECTED | {subject: (3, 3 + amount)}
        wait_until(lambda: sums(database) == expected, lambda: sums(database))


def test_records_that_are_gone_before_they_were_read_end_the_worker(
    journal: RelayedJournal, database: str, tmp_path: Path
) -> None:
    topic = happened(journal)
    written(journal, database, tmp_path)
    last = journal.seen(topic)[-1]
    for _ in range(2):
        produce(journal.settings, topic, last._replace(headers=last.headers | new_event(last)))
    end = journal.seen(topic)[-1].offset + 1
    admin = AdminClient({"bootstrap.servers": journal.settings.bootstrap_servers})
    for gone in admin.delete_records([TopicPartition(topic, last.partition, end)]).values():
        gone.result(30)
    said = finished(FaustWorker(journal, database, tmp_path))
    assert f"rows end with offset {last.offset}, and the topic begins at {end}" in said


def happened(journal: RelayedJournal) -> str:
    """Two deposits of each stream, published; returns their topic."""
    log = journal.log()
    for amount in (1, 2):
        log.happened(*((id, Deposited(amount=amount)) for id in STREAMS))
    journal.wait_until_landed()
    relay = journal.process("bank")
    topic = journal.settings.events_topic("account")
    wait_until(lambda: len(journal.seen(topic)) == 2 * len(STREAMS), "all is published")
    kill(relay)
    return topic


def written(journal: RelayedJournal, database: str, folder: Path) -> None:
    """Let a worker write all of it."""
    worker = FaustWorker(journal, database, folder)
    try:
        worker.read(1)
        wait_until(lambda: sums(database) == EXPECTED, worker.log.read_text)
    finally:
        worker.kill()


def finished(worker: FaustWorker) -> str:
    try:
        return worker.ended()
    finally:
        worker.kill()


def new_event(of: Seen) -> dict[str, bytes]:
    """What tells a third event of that stream from the first."""
    return {"ce_id": f"{JOURNAL}.{of.partition}.900.0".encode(), "ce_version": b"3"}


def produce(settings: KafkaSettings, topic: str, record: Seen) -> None:
    producer = Producer({"bootstrap.servers": settings.bootstrap_servers})
    producer.produce(topic, record.value, record.key, record.partition, headers=list(record.headers.items()))
    assert producer.flush(10) == 0


def sink_of(journal: RelayedJournal, database: str, folder: Path) -> SqlSink:
    app = published_app("admin", journal.settings, datadir=str(folder / "admin"))
    return SqlSink(events_topic(app, "account", application), create_engine(database), "sums")

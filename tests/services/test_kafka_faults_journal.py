"""The journal's topic cut short, or made again, under those who read and write it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from shardlog.adapters.kafka.journal import KafkaJournal
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.adapters.kafka.topics import KafkaTopics, journal_topic
from shardlog.errors import Diverged, Truncated
from shardlog.testing.contracts.journal import append
from tests.services.kafka_faults.bank import SHARDS, Bank
from tests.services.kafka_faults.load import Load, wait_for

pytestmark = pytest.mark.faults

RECORDS, RECORD_BYTES = 400, 20_000


def made_again(bootstrap: str, topic: str, shards: int) -> None:
    """Delete the topic and make it anew, empty."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.delete_topics([topic])[topic].result(30)
    wait_for(lambda: topic not in admin.list_topics(timeout=20).topics, 30, lambda: "it is still there")
    admin.create_topics([NewTopic(topic, shards, 1)])[topic].result(30)


@pytest.fixture
def filled(kafka: str, journal_name: str) -> Iterator[KafkaJournal]:
    """A journal of large records, read in small portions."""
    settings = KafkaSettings(
        bootstrap_servers=kafka,
        journal=journal_name,
        fetch_bytes_max=RECORD_BYTES,
        prefetch_bytes_max=RECORD_BYTES,
        read_timeout_ms=4_000,
        compression="none",
    )
    KafkaTopics(settings).create([journal_topic(settings, 1, 900_000)])
    journal = KafkaJournal(settings, 1)
    writer = journal.writer(0)
    for start in range(0, RECORDS, 100):
        append(writer, *[b"%d " % number + b"x" * RECORD_BYTES for number in range(start, start + 100)])
    yield journal
    journal.close()


def test_who_reads_where_the_journal_is_cut_is_told_and_skips_nothing(filled: KafkaJournal) -> None:
    reading = filled.read(0, 0)
    found = [next(reading)[0] for _ in range(5)]
    other = KafkaJournal(filled._settings, 1)
    other.truncate(0, RECORDS - 10)
    other.close()
    with pytest.raises(Truncated) as cut:
        found += [offset for offset, _ in reading]
    assert found == list(range(len(found)))
    assert (cut.value.earliest, cut.value.start) == (RECORDS - 10, len(found)) or cut.value.start == 0
    assert [offset for offset, _ in filled.read(0, RECORDS - 10)] == list(range(RECORDS - 10, RECORDS))


def test_a_journal_that_was_made_again_is_never_taken_for_the_one_before(filled: KafkaJournal) -> None:
    list(filled.read(0, 0))
    made_again(filled._settings.bootstrap_servers, filled._settings.journal_topic, 1)
    with pytest.raises(Diverged, match="deleted and made again"):
        wait_for(lambda: bool(list(filled.read(0, RECORDS))), 30, lambda: "nobody noticed")
    with pytest.raises(Diverged, match="deleted and made again"):
        filled.writer(0)
    with pytest.raises(Diverged, match="deleted and made again"):
        filled.offsets(0)


def test_an_executor_whose_journal_was_made_again_stops_and_acknowledges_nothing_more(
    kafka: str, journal_name: str, tmp_path: Path
) -> None:
    with Bank(tmp_path, kafka, journal_name) as bank, Load(bank.kafka, Random(3)):
        executor = bank.executor(rate=60).wait_until_serving()
        executor.wait_until_answered(30)
        made_again(kafka, bank.kafka.journal_topic, SHARDS)
        executor.read()
        before = len(executor.answers)
        wait_for(
            lambda: executor.errors().count("deleted and made again") >= SHARDS, 60, lambda: executor.errors()[-2000:]
        )
        executor.read()
        told = {answer.code for answer in executor.answers[before:]}
        assert "accepted" not in told
        assert told & {"unavailable", "outcome_unknown"}

"""Readers of a journal's shards that nobody uses any more, on a real broker."""

from __future__ import annotations

import pytest

from shardlog.adapters.kafka import reading
from shardlog.adapters.kafka.journal import KafkaJournal
from shardlog.testing.contracts.journal import append
from tests.services.kafka_served import made_topics, wait_until


def test_readers_are_closed_when_they_are_not_used_though_nobody_reads_any_more(
    kafka: str, journal_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = made_topics(kafka, journal_name)
    closed: list[int] = []
    close = reading.Tail.close

    def noted(tail: reading.Tail) -> None:
        close(tail)
        if tail.topic == settings.journal_topic:  # other journals of this process close theirs
            closed.append(tail.shard)

    monkeypatch.setattr(reading.Tail, "close", noted)
    monkeypatch.setattr(reading, "IDLE_SECONDS", 0.5)
    monkeypatch.setattr(reading, "TIDY_SECONDS", 0.1)
    journal = KafkaJournal(settings, 2)
    try:
        for shard in range(2):
            append(journal.writer(shard), b"1", b"2")
            assert [value for _, value in journal.read(shard, 0)] == [b"1", b"2"]
        wait_until(lambda: sorted(closed) == [0, 1], "readers stay open")
        assert [value for _, value in journal.read(0, 1)] == [b"2"]
    finally:
        journal.close()

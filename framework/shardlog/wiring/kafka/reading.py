"""A journal on Kafka opened by commands that only look: nothing is claimed, made or written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shardlog.adapters.kafka.control import KafkaControl
from shardlog.adapters.kafka.journal import KafkaJournal
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.adapters.kafka.topics import KafkaTopics, control_topic
from shardlog.ownership.view import look
from shardlog.wiring.reading import OpenJournal


@contextmanager
def open_kafka_journal(directory: Path, settings: KafkaSettings) -> Iterator[OpenJournal]:
    """Read what stands there. directory: where this machine's executors keep snapshots.

    Raises ConfigurationError, JournalMismatch where there is no journal, JournalUnavailable.
    """
    KafkaTopics(settings).check([control_topic(settings)])
    control = KafkaControl(settings)
    try:
        view = look(control.read())
    finally:
        control.close()
    meta = view.known_meta
    journal = KafkaJournal(settings, meta.shards)
    try:
        yield OpenJournal(directory, meta, journal, view.owners, settings)
    finally:
        journal.close()

"""A journal directory opened to be read, beside whoever serves it: no lock is taken, and no file is made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.adapters.sqlite.control import read_meta
from shardlog.adapters.sqlite.control_records import read_control
from shardlog.adapters.sqlite.journal import SqliteJournal
from shardlog.adapters.sqlite.shard_file import shard_path
from shardlog.errors import JournalError
from shardlog.journal.control import Meta
from shardlog.journal.owners import Announcement
from shardlog.journal.reader import Reader
from shardlog.ownership.view import look
from shardlog.ports.journal import Journal
from shardlog.snapshots.manifest import Manifest
from shardlog.wiring.snapshots_read import manifests


class OpenJournal(NamedTuple):
    """A journal and what it was made for. directory: of its files, or of the snapshots of one on Kafka.

    owners: who says that it owns a shard, by shard. kafka: the settings where it is on Kafka.
    """

    directory: Path
    meta: Meta
    journal: Journal
    owners: Mapping[int, Announcement]
    kafka: KafkaSettings | None = None

    @property
    def place(self) -> str:
        """Where it is, for people."""
        if self.kafka is None:
            return str(self.directory)
        return f"topic {self.kafka.journal_topic} at {self.kafka.bootstrap_servers}"

    def reader(self, shard: int) -> Reader:
        """A reader at the beginning of a shard, or where a snapshot stands once that beginning is cut off."""
        first = self.first_snapshot(shard)
        if first is None:
            return Reader(self.meta.journal, shard, self.meta.shards)
        return Reader.from_state(first.about.reader)

    def first_snapshot(self, shard: int) -> Manifest | None:
        """The oldest one that reaches what the journal still holds, where its beginning is cut off; None elsewhere."""
        earliest, _ = self.journal.offsets(shard)
        if not earliest:
            return None
        known = manifests(self.directory, self.meta.journal, self.meta.shards)[shard]
        return next((found for found in reversed(known) if found.about.next >= earliest), None)

    def records(self, shard: int) -> int:
        """How many records the shard holds now."""
        earliest, end = self.journal.offsets(shard)
        return end - earliest


@contextmanager
def open_journal(directory: Path, kafka: KafkaSettings | None = None) -> Iterator[OpenJournal]:
    """Read what stands there: on Kafka where `kafka` names brokers, else in the directory.

    Raises JournalMismatch where there is no journal, JournalError for a missing file, and on Kafka ConfigurationError
    and JournalUnavailable.
    """
    opened = _in_directory(directory) if kafka is None or not kafka.bootstrap_servers else _on_kafka(directory, kafka)
    with opened as journal:
        yield journal


def _on_kafka(directory: Path, kafka: KafkaSettings) -> AbstractContextManager[OpenJournal]:
    from shardlog.wiring.kafka.reading import open_kafka_journal  # its client library is an extra

    return open_kafka_journal(directory, kafka)


@contextmanager
def _in_directory(directory: Path) -> Iterator[OpenJournal]:
    meta = read_meta(directory)
    for shard in range(meta.shards):
        path = shard_path(directory, shard)
        if not path.is_file() or not path.stat().st_size:
            raise JournalError(
                f"{path} is missing, and the journal was made with {meta.shards} shards: restore it from a backup, or, "
                "where the journal was never started, start it"
            )
    owners = look(read_control(directory)).owners
    journal = SqliteJournal(directory, meta.shards)
    try:
        yield OpenJournal(directory, meta, journal, owners)
    finally:
        journal.close()

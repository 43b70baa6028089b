"""The records of one shard, read on where the last reading ended, so that a page of the journal is fetched once."""

from __future__ import annotations

from collections.abc import Generator, Iterator

from shardlog.errors import JournalError
from shardlog.ports.journal import Journal
from shardlog.projector.core import Record


class Feed:
    """One shard of a journal. Reading from elsewhere than where the last reading ended begins anew."""

    def __init__(self, journal: Journal, shard: int) -> None:
        self._journal = journal
        self._shard = shard
        self._values: Iterator[tuple[int, bytes]] = iter(())
        self._next = -1

    def read(self, start: int, end: int, records_max: int, bytes_max: int) -> list[Record]:
        """Records from `start` up to `end`; at least one where there is one.

        Raises JournalError where the first cannot be read. A later one that cannot be read is met again, first, by the
        next reading.
        """
        records = self._take(end, records_max, bytes_max) if start == self._next else []
        if not records and start < end:
            self._open(start)
            records = self._take(end, records_max, bytes_max)
        return records

    def close(self) -> None:
        """Give back what it reads with, until it reads again."""
        if isinstance(self._values, Generator):
            self._values.close()
        self._values = iter(())
        self._next = -1

    def _open(self, start: int) -> None:
        self.close()
        self._values = self._journal.read(self._shard, start)

    def _take(self, end: int, records_max: int, bytes_max: int) -> list[Record]:
        records: list[Record] = []
        size = 0
        try:
            for offset, value in self._values:
                records.append(Record(self._shard, offset, value))
                self._next = offset + 1
                size += len(value)
                if len(records) >= records_max or size >= bytes_max or offset + 1 >= end:
                    break
            else:
                self._next = -1
        except JournalError:
            self._next = -1
            if not records:
                raise
        return records

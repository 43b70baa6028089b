"""The memory journal keeps the journal's contract, and so does the faulty one where nothing goes wrong."""

from __future__ import annotations

from collections.abc import Callable

from shardlog.adapters.memory.faulty import FaultyJournal, FaultyWriter
from shardlog.adapters.memory.journal import MemoryJournal
from shardlog.ports.journal import Journal, Report, Writer
from shardlog.testing.contracts.journal import JournalContract


class TestMemoryJournal(JournalContract):
    def open(self, shards: int) -> Journal:
        return MemoryJournal(shards)


class KindNetwork(FaultyJournal):
    """Delivers everything at once."""

    def writer(self, shard: int) -> Writer:
        return KindWriter(self, shard)


class KindWriter(FaultyWriter):
    def append(self, value: bytes, reported: Callable[[Report], None]) -> None:
        super().append(value, reported)
        self._journal.deliver_all(self._shard)


class TestFaultyJournalWithoutFaults(JournalContract):
    def open(self, shards: int) -> Journal:
        return KindNetwork(shards)

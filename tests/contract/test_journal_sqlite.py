"""The SQLite journal keeps the journal's contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from shardlog.adapters.sqlite.journal import SqliteJournal
from shardlog.ports.journal import Journal
from shardlog.testing.contracts.journal import DurableJournalContract


class TestSqliteJournal(DurableJournalContract):
    @pytest.fixture(autouse=True)
    def _directory(self, tmp_path: Path) -> None:
        self.directory = tmp_path

    def open(self, shards: int) -> Journal:
        return SqliteJournal(self.directory, shards)


class TestSqliteJournalInSmallPages(DurableJournalContract):
    @pytest.fixture(autouse=True)
    def _directory(self, tmp_path: Path) -> None:
        self.directory = tmp_path

    def open(self, shards: int) -> Journal:
        return SqliteJournal(self.directory, shards, page_rows=3, page_bytes=64)

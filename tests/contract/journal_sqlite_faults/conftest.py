"""A SQLite journal that gives up soon where another process holds its file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from shardlog.adapters.sqlite.journal import SqliteJournal


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[SqliteJournal]:
    journal = SqliteJournal(tmp_path, 2, busy_ms=300)
    yield journal
    journal.close()

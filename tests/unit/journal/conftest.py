"""What tests of the journal begin with: an unkind network, and an owner that serves on it."""

from __future__ import annotations

import pytest

from shardlog.adapters.memory.faulty import FaultyJournal
from tests.unit.journal.driven_shard import Owning


@pytest.fixture
def journal() -> FaultyJournal:
    return FaultyJournal(4)


@pytest.fixture
def owner(journal: FaultyJournal) -> Owning:
    """An owner that serves: its claim stands at offset 0."""
    owning = Owning(journal)
    owning.take_over()
    return owning

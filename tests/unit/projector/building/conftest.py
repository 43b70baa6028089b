"""A journal, a database for its builds, and projectors of either version."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shardlog.adapters.memory.journal import MemoryJournal
from shardlog.adapters.sql import SqlProjectionStore
from shardlog.projector.runner import Projector
from shardlog.projector.worker import Limits
from tests.unit.projector.bank import Broken, bank
from tests.unit.projector.building.builds import SHARDS, Clock, Make, Rows, owners
from tests.unit.projector.log import JOURNAL, LogWriter


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def broken() -> Broken:
    return Broken()


@pytest.fixture
def log() -> LogWriter:
    return LogWriter(MemoryJournal(SHARDS), SHARDS)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlProjectionStore]:
    store = SqlProjectionStore(tmp_path / "projections.sqlite")
    yield store
    store.close()


@pytest.fixture
def make(log: LogWriter, store: SqlProjectionStore, clock: Clock, broken: Broken) -> Make:
    def made(version: int = 1, frames_max: int = 256, **more: Any) -> Projector:
        application = owners(broken) if version == 2 else bank(broken, version)[0]
        return Projector(
            log.journal,
            JOURNAL,
            SHARDS,
            application,
            list(application.projections.values()),
            store,
            Limits(batch_frames_max=frames_max),
            now_s=clock,
            **more,
        )

    return made


@pytest.fixture
def rows(tmp_path: Path) -> Rows:
    def read(table: str) -> list[tuple[object, ...]]:
        connection = sqlite3.connect(tmp_path / "projections.sqlite")
        try:
            return connection.execute(f'SELECT * FROM "{table}" ORDER BY 1').fetchall()
        finally:
            connection.close()

    return read

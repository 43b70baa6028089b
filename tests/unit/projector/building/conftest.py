"""A journal, a database for its builds, and projectors of either version."""

from __future__ import annotations

from typing import Any

import pytest

from shardlog.adapters.memory.journal import MemoryJournal
from shardlog.adapters.sql import SqlProjectionStore
from shardlog.projector.runner import Projector
from shardlog.projector.worker import Limits
from tests.unit.projector.bank import Broken, bank
from tests.unit.projector.building.builds import SHARDS, Clock, Make, owners
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

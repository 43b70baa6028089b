"""What tests of projectors share."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import create_engine, event

from shardlog import Application, Projection
from shardlog.adapters.memory.journal import MemoryJournal
from shardlog.adapters.postgresql import PostgresqlProjectionStore
from shardlog.adapters.sql import SqlProjectionStore
from shardlog.adapters.sql.engine import open_engine
from shardlog.projector.runner import Projector
from shardlog.projector.worker import Limits
from tests.unit.projector import histories
from tests.unit.projector.bank import bank
from tests.unit.projector.histories import SHARDS, Make, Rows
from tests.unit.projector.log import JOURNAL, LogWriter
from tests.unit.projector.place import Place


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param == "sqlite":
        path = tmp_path / "projections.sqlite"
        engine = open_engine(path, lock_wait_ms=5_000)
        found = Place(lambda: SqlProjectionStore(path), engine)
    else:
        url, schema = request.getfixturevalue("postgresql"), request.getfixturevalue("postgresql_schema")
        engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
        quoted = schema.replace('"', '""')
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(f'SET search_path TO "{quoted}"'))
        found = Place(lambda: PostgresqlProjectionStore(url, schema=schema), engine)
    yield found
    found.close()


@pytest.fixture
def log() -> LogWriter:
    return LogWriter(MemoryJournal(SHARDS), SHARDS)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "projections.sqlite"


@pytest.fixture
def store(database: Path) -> Iterator[SqlProjectionStore]:
    store = SqlProjectionStore(database)
    yield store
    store.close()


@pytest.fixture
def rows(database: Path) -> Rows:
    """What a table of `store` holds."""
    return partial(histories.rows, database)


@pytest.fixture
def make(log: LogWriter, database: Path) -> Iterator[Make]:
    stores: list[SqlProjectionStore] = []

    def made(
        *projections: Projection,
        application: Application | None = None,
        limits: Limits | None = None,
        check: bool = False,
    ) -> Projector:
        stores.append(SqlProjectionStore(database))
        app, balances = bank()
        return Projector(
            log.journal,
            JOURNAL,
            SHARDS,
            application or app,
            projections or [balances],
            stores[-1],
            limits,
            check_rows=check,
        )

    yield made
    for store in stores:
        store.close()

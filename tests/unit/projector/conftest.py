"""What tests of projectors share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, event

from shardlog.adapters.postgresql import PostgresqlProjectionStore
from shardlog.adapters.sql import SqlProjectionStore
from tests.unit.projector.place import Place


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param == "sqlite":
        path = tmp_path / "projections.sqlite"
        engine = create_engine(f"sqlite:///{path}")
        found = Place(lambda: SqlProjectionStore(path), engine)
    else:
        url, schema = request.getfixturevalue("postgresql"), request.getfixturevalue("postgresql_schema")
        engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
        quoted = schema.replace('"', '""')
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(f'SET search_path TO "{quoted}"'))
        found = Place(lambda: PostgresqlProjectionStore(url, schema=schema), engine)
    yield found
    found.close()

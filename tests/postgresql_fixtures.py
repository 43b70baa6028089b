"""PostgreSQL for tests: one server a run, started when the first test asks for it, and a schema for each test.

Where a server cannot be had, its tests are skipped with what to install, and fail where CI is set.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg import sql

from shardlog.testing.services.postgresql import PostgresqlOptions, PostgresqlServer
from shardlog.testing.services.postgresql.found import found_postgresql
from tests.missing import or_skip


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """postgresql://user:password@host:port/database that all tests of this run share: take schemas of your own."""
    with or_skip():
        context = found_postgresql()
        url = context.__enter__()
    try:
        yield url
    finally:
        context.__exit__(None, None, None)


@pytest.fixture
def postgresql_schema(postgresql: str) -> Iterator[str]:
    """The name of a schema that nobody else has, in need of quotes; it is not made yet, and dropped at the end."""
    name = f'Test "{uuid.uuid4().hex[:12]}"'
    yield name
    with psycopg.connect(postgresql, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(name)))


@pytest.fixture
def start_postgresql() -> Iterator[Callable[[], PostgresqlServer]]:
    """Starts servers of the test's own, durable ones; they end with the test."""
    servers: list[PostgresqlServer] = []

    def start() -> PostgresqlServer:
        server = PostgresqlServer(PostgresqlOptions(is_durable=True))
        servers.append(server)
        with or_skip():
            server.start()
        return server

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def quiet() -> Iterator[None]:
    """Every dead letter is a line of the log, and some tests make thousands."""
    log = logging.getLogger("shardlog.projector")
    before = log.level
    log.setLevel(logging.CRITICAL)
    yield
    log.setLevel(before)

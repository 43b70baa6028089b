"""MariaDB for tests: one server a run, started when the first test asks for it, and a database for each test.

Where a server cannot be had, its tests are skipped with what to install, and fail where CI is set.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pymysql
import pytest
from sqlalchemy.engine import make_url

from shardlog.testing.services.mariadb import MariadbOptions, MariadbServer
from shardlog.testing.services.mariadb.found import found_mariadb
from tests.missing import or_skip


def connected(url: str) -> pymysql.Connection[Any]:
    """A connection beside the store's."""
    at = make_url(url)
    return pymysql.connect(
        host=at.host, port=at.port or 3306, user=at.username, password=at.password or "", database=at.database
    )


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[str]:
    """mariadb://user:password@host:port/database that all tests of this run share: take databases of your own."""
    with or_skip():
        context = found_mariadb()
        url = context.__enter__()
    try:
        yield url
    finally:
        context.__exit__(None, None, None)


@pytest.fixture
def mariadb(mariadb_server: str) -> Iterator[str]:
    """The address of a database that nobody else has, whose name needs quotes; it is dropped at the end."""
    name = f"Test-{uuid.uuid4().hex[:12]}"
    connection = connected(mariadb_server)
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE `{name}` CHARACTER SET latin1")
        yield make_url(mariadb_server).set(database=name).render_as_string(hide_password=False)
        cursor.execute("SELECT id FROM information_schema.processlist WHERE db = %s", (name,))
        for (id,) in cursor.fetchall():  # a test that failed may have left one, and then nothing of it is dropped
            with suppress(pymysql.err.OperationalError):
                cursor.execute(f"KILL {id}")
        cursor.execute("SET lock_wait_timeout = 20")
        cursor.execute(f"DROP DATABASE `{name}`")
    connection.close()


@pytest.fixture
def start_mariadb() -> Iterator[Callable[[], MariadbServer]]:
    """Starts servers of the test's own, durable ones; they end with the test."""
    servers: list[MariadbServer] = []

    def start() -> MariadbServer:
        server = MariadbServer(MariadbOptions(is_durable=True))
        servers.append(server)
        with or_skip():
            server.start()
        return server

    yield start
    for server in servers:
        server.close()

"""PostgreSQL for tests: fresh, on the loopback, behind a password, and gone at the end."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from shardlog.errors import ConfigurationError
from shardlog.testing.services.errors import ServiceFailed, ServiceMissing
from shardlog.testing.services.postgresql import PostgresqlOptions, PostgresqlServer, programs
from shardlog.testing.services.postgresql.found import found_postgresql
from tests.missing import or_skip


def test_a_killed_server_starts_again_on_what_was_committed(start_postgresql: Callable[[], PostgresqlServer]) -> None:
    server = start_postgresql()
    with psycopg.connect(server.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 5 AS n")
    server.kill()
    assert not server.is_running
    server.start()
    assert server.ask("SELECT n FROM kept") == ["5"]
    with pytest.raises(ServiceFailed, match="runs already"):
        server.start()


def test_nothing_is_left_behind() -> None:
    with or_skip(), PostgresqlServer() as server:
        assert server.ask("SHOW fsync") == ["off"]
    assert not server.is_running
    assert not server.folder.exists()


def test_only_the_password_lets_in_and_only_from_this_host(start_postgresql: Callable[[], PostgresqlServer]) -> None:
    server = start_postgresql()
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(server.url.replace(server.password, "another"))
    assert server.ask("SHOW listen_addresses") == ["127.0.0.1"]
    assert server.ask("SHOW fsync") == ["on"]


def test_a_setting_that_the_server_refuses_is_shown_with_its_words() -> None:
    server = PostgresqlServer(PostgresqlOptions(settings={"shared_buffers": "a lot"}))
    try:
        with pytest.raises(ServiceFailed, match='invalid value for parameter "shared_buffers"'), or_skip():
            server.start()
    finally:
        server.close()


def test_without_programs_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "FOLDERS", ())
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ServiceMissing, match="apt-get install postgresql-15"), PostgresqlServer():
        pass


def test_an_address_in_the_environment_comes_first_and_is_not_shown_where_it_is_wrong() -> None:
    address = "postgresql://ann:secret@db:5432/x"
    with found_postgresql({"SHARDLOG_POSTGRESQL": address}) as url:
        assert url == address
    with (
        pytest.raises(ConfigurationError, match="must be postgresql://") as raised,
        found_postgresql({"SHARDLOG_POSTGRESQL": "ann:secret@db"}),
    ):
        pass
    assert "secret" not in str(raised.value)

"""Leases on a real PostgreSQL keep the contract, and say what keeps them from it."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from shardlog.adapters.postgresql import PostgresqlLeases
from shardlog.errors import ConfigurationError, StoreUnavailable
from shardlog.ports.leases import Leases
from shardlog.testing.contracts.leases import LONG_MS, LeasesContract
from shardlog.testing.services.postgresql import PostgresqlServer
from tests.docs.stranger import ROOT, blocks


@pytest.fixture
def schema(postgresql: str, postgresql_schema: str) -> str:
    with psycopg.connect(postgresql, autocommit=True) as connection:
        connection.execute(SQL("CREATE SCHEMA {}").format(Identifier(postgresql_schema)))
    return postgresql_schema


class TestPostgresql(LeasesContract):
    @pytest.fixture(autouse=True)
    def _database(self, postgresql: str, schema: str) -> None:
        self.url, self.schema = postgresql, schema

    def open(self) -> Leases:
        return PostgresqlLeases(self.url, schema=self.schema)

    def test_a_terminated_connection_is_unavailable_once_and_the_leases_are_still_held(self, leases: Leases) -> None:
        leases.take("a", {"p": [0]}, LONG_MS)
        with psycopg.connect(self.url, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'shardlog leases'"
            )
        with pytest.raises(StoreUnavailable, match="members"):
            leases.look("a", ["p"], LONG_MS)
        assert leases.look("a", ["p"], LONG_MS).held == {"p": {0: "a"}}

    def test_who_may_use_the_tables_needs_no_right_to_make_them(self, leases: Leases) -> None:
        leases.look("a", ["p"], LONG_MS)
        user = f"u{abs(hash(self.schema))}"
        with psycopg.connect(self.url, autocommit=True) as owner:
            owner.execute(SQL("CREATE USER {} PASSWORD 'secret'").format(Identifier(user)))
            owner.execute(SQL("GRANT USAGE ON SCHEMA {} TO {}").format(Identifier(self.schema), Identifier(user)))
            owner.execute(
                SQL("GRANT ALL ON ALL TABLES IN SCHEMA {} TO {}").format(Identifier(self.schema), Identifier(user))
            )
        _, _, place = self.url.rpartition("@")
        theirs = PostgresqlLeases(f"postgresql://{user}:secret@{place}", schema=self.schema)
        assert theirs.look("b", ["p"], LONG_MS).members == {"p": ("a", "b")}
        theirs.close()
        with psycopg.connect(self.url, autocommit=True) as owner:
            owner.execute(SQL("DROP OWNED BY {}").format(Identifier(user)))
            owner.execute(SQL("DROP USER {}").format(Identifier(user)))


def test_the_page_s_statement_shows_who_keeps_what(postgresql: str, schema: str) -> None:
    (statement,) = (
        block.source for block in blocks(ROOT / "docs" / "projection-workers.md") if block.language == "sql"
    )
    leases = PostgresqlLeases(postgresql, schema=schema)
    leases.take("a", {"p/1": [0, 1], "q/1": [2]}, LONG_MS)
    leases.take("b", {"p/1": [2]}, LONG_MS)
    leases.close()
    with psycopg.connect(postgresql) as connection:
        connection.execute(SQL("SET search_path TO {}").format(Identifier(schema)))
        shown = [row[:3] for row in connection.execute(statement.encode())]
    assert shown == [("p/1", "a", 2), ("p/1", "b", 1), ("q/1", "a", 1)]


def test_another_database_is_refused_without_its_password() -> None:
    with pytest.raises(ConfigurationError, match="postgresql://") as raised:
        PostgresqlLeases("mysql://ann:secret@db/x")
    assert "secret" not in str(raised.value)


def test_a_server_that_is_away_is_unavailable_and_is_asked_again(
    start_postgresql: Callable[[], PostgresqlServer],
) -> None:
    server = start_postgresql()
    server.ask("CREATE SCHEMA shardlog")
    leases = PostgresqlLeases(server.url)
    leases.take("a", {"p": [0]}, LONG_MS)
    server.kill()
    for ask in (lambda: leases.look("a", ["p"], LONG_MS), lambda: leases.take("a", {}, LONG_MS)):
        with pytest.raises(StoreUnavailable):
            ask()
    server.start()
    assert leases.look("a", ["p"], LONG_MS).held == {"p": {0: "a"}}
    leases.close()


def test_a_schema_that_is_not_there_is_named(postgresql: str) -> None:
    leases = PostgresqlLeases(postgresql, schema="nowhere")
    with pytest.raises(Exception, match="schema") as raised:
        leases.look("a", ["p"], LONG_MS)
    assert type(raised.value).__module__ == "shardlog.errors"
    leases.close()

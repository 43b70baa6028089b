"""The tables of an application in PostgreSQL by settings alone: an engine, HTTP, `shardlog status` and a rebuild."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import httpx
import psycopg
import pytest
from psycopg import sql

from domain.banking.account import account
from domain.banking.messages import Deposit
from projections.banking import balances
from shardlog.cli.exit_codes import ExitCode
from shardlog.errors import ConfigurationError
from shardlog.ports.builds import Build
from shardlog.ports.projections import ProjectionStore
from shardlog.projector.settings import ProjectionSettings
from shardlog.testing.services.ports import free_ports
from shardlog.wiring.embedded import Embedded
from shardlog.wiring.settings import load_settings
from shardlog.wiring.stores import ProjectionDatabase
from tests.services.command_line import SECONDS, SETTINGS, fill, open_engine, running, shardlog
from tests.services.postgresql_settings import settings_of


class Place:
    """A folder whose settings name a schema, and whose password stands in a file of its own."""

    def __init__(self, folder: Path, url: str, schema: str) -> None:
        self.folder, self.schema, self._url = folder, schema, url
        self.settings = settings_of(folder, url, schema)

    def fill(self) -> None:
        """Accounts with a past, and their tables."""
        fill(self.folder)
        (self.folder / "journal" / "projections.sqlite").unlink()
        (self.folder / "shardlog.toml").write_text(SETTINGS + self.settings)
        with open_engine(self.folder) as engine:
            engine.wait_for_projections()

    def balances(self) -> list[tuple[str, int]]:
        """By account, as an analyst asks for them."""
        wanted = sql.SQL("SELECT account, balance FROM {}.account_balances ORDER BY account LIMIT 2")
        return self._run(wanted)

    def store(self) -> ProjectionStore:
        """The tables, as another process opens them."""
        return ProjectionDatabase.of(load_settings(self.folder / "shardlog.toml")).open_store()

    def _run(self, statement: sql.SQL) -> list[tuple[str, int]]:
        with psycopg.connect(self._url) as connection:
            return connection.execute(statement.format(sql.Identifier(self.schema))).fetchall()


def deposit(engine: Embedded, number: int) -> None:
    engine.send(account.stream("l1:ada"), Deposit(amount=number + 1), command_id=f"beside-{number}")


def eventually(is_so: Callable[[], bool], otherwise: str) -> None:
    give_up = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < give_up, otherwise
        time.sleep(0.02)


@pytest.fixture
def place(tmp_path: Path, postgresql: str, postgresql_schema: str) -> Place:
    found = Place(tmp_path, postgresql, postgresql_schema)
    found.fill()
    return found


def test_an_engine_keeps_its_tables_where_the_settings_say(place: Place) -> None:
    assert place.balances() == [("l1:ada", 9), ("l2:bob", 0)]
    assert not (place.folder / "journal" / "projections.sqlite").exists()


def test_a_server_shows_rows_and_lag_of_these_tables(place: Place) -> None:
    with running(place.folder, "dev", "--port", "0") as process:
        assert process.stdout is not None
        port = json.loads(process.stdout.readline())["port"]
        answer = httpx.get(f"http://127.0.0.1:{port}/v1/projections/balances?table=account_balances&limit=1").json()
    (row,) = answer["rows"]
    assert (row["account"], row["balance"], row["closed"]) == ("l1:ada", 9, False)
    assert answer["projection"]["dead_letters"] == 0


def test_status_tells_of_these_tables(place: Place) -> None:
    (found,) = shardlog(place.folder, "status", "--json").json["projections"]
    assert (found["name"], sum(found["lag"].values())) == ("balances", 0)


def test_a_rebuild_builds_these_tables(place: Place) -> None:
    before = place.balances()
    rebuilt = shardlog(place.folder, "rebuild", "balances", "--json")
    assert rebuilt.code == 0, rebuilt.err
    assert rebuilt.json["handled"] > 0
    assert place.balances() == before


def test_a_password_that_is_wrong_is_not_shown(place: Place) -> None:
    (place.folder / "password").write_text("guessed")
    refused = shardlog(place.folder, "status", "--json")
    assert refused.code == ExitCode.CONFIGURATION
    assert "password authentication failed" in refused.err
    assert "guessed" not in refused.err


def test_a_database_that_does_not_exist_is_a_wrong_setting(place: Place) -> None:
    settings = place.folder / "shardlog.toml"
    settings.write_text(re.sub(r'(database = "[^"]*/)[^"/]*"', r'\1nodb"', settings.read_text()))
    refused = shardlog(place.folder, "projections", "list")
    assert refused.code == ExitCode.CONFIGURATION
    assert re.search(
        r'the server refuses: .* database "nodb" does not exist\. Nothing was written: correct', refused.err
    )
    assert refused.err.count("\n") == 1


def test_a_command_that_finds_the_database_away_says_so_in_one_line_and_promises_nothing(place: Place) -> None:
    settings = place.folder / "shardlog.toml"
    settings.write_text(re.sub(r'(database = "[^"]*:)\d+/', rf"\g<1>{free_ports(1)[0]}/", settings.read_text()))
    for arguments in (("projections", "list"), ("status",), ("dev", "--port", "0")):
        refused = shardlog(place.folder, *arguments)
        assert refused.code == ExitCode.TRY_LATER, refused.err
        assert refused.err.endswith("Nothing was written; the same may work later.\n")
        assert "Is the server running" in refused.err
        assert "?." not in refused.err
        assert refused.err.count("\n") == 1


def test_a_password_file_that_is_missing_is_named(place: Place) -> None:
    (place.folder / "password").unlink()
    refused = shardlog(place.folder, "status", "--json")
    assert refused.code != 0
    assert f"projections setting password_file, {place.folder / 'password'}, cannot be read" in refused.err


@pytest.mark.parametrize(
    ("database", "why"),
    [
        ("postgresql://me:secret@host/shop", "has a password in it"),
        ("postgresql://host/shop?password=secret", "has a password in it"),
        ("oracle://host/shop", "must be 'postgresql://user@host:port/database'"),
        ("postgresql://host", "must be 'postgresql://user@host:port/database'"),
        ("postgresql://[host/shop", "is no URL"),
    ],
)
def test_a_database_that_cannot_be_is_refused_without_its_secrets(database: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why) as refused:
        ProjectionSettings(database=database)
    assert "secret" not in str(refused.value)


def test_a_password_is_shown_nowhere(tmp_path: Path) -> None:
    (tmp_path / "shardlog.toml").write_text("[projections]\npassword = 'hidden-one'\n")
    assert "hidden-one" not in repr(load_settings(tmp_path / "shardlog.toml"))
    assert "hidden-one" not in shardlog(tmp_path, "config").out


def test_a_rebuild_goes_on_beside_a_server_that_takes_commands_and_keeps_the_tables(place: Place) -> None:
    with open_engine(place.folder) as engine:
        for n in range(20):
            deposit(engine, n)
        rebuilt = shardlog(place.folder, "rebuild", "balances", "--json", "--drop-old")
        assert rebuilt.code == 0, rebuilt.err
        assert (rebuilt.json["build"], rebuilt.json["dropped"]) == ("balances/1/2", ["balances/1/1"])
        deposit(engine, 20)
        eventually(lambda: place.balances()[0] == ("l1:ada", 9 + sum(range(1, 22))), "the server does not go on")
        engine.raise_errors()


def test_a_rebuild_that_was_not_finished_is_gone_on_with_or_begun_again_when_it_is_said(place: Place) -> None:
    before = place.balances()
    for wanted, number in (("--resume", 2), ("--restart", 4)):
        with closing(place.store()) as store:
            store.builds.begin(Build(balances, number if wanted == "--resume" else number - 1), {})
        refused = shardlog(place.folder, "rebuild", "balances")
        assert refused.code != 0
        assert "has a build that is not finished" in " ".join(refused.err.split())
        rebuilt = shardlog(place.folder, "rebuild", "balances", wanted, "--json")
        assert rebuilt.code == 0, rebuilt.err
        assert rebuilt.json["build"] == f"balances/1/{number}"
        assert place.balances() == before
    both = shardlog(place.folder, "rebuild", "balances", "--resume", "--restart")
    assert "say one of them" in both.err

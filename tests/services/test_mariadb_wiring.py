"""The tables of an application in MariaDB by settings alone: an engine, HTTP, `shardlog status` and a rebuild."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest
from sqlalchemy.engine import make_url

from shardlog.errors import ConfigurationError
from shardlog.projector.settings import ProjectionSettings
from tests.mariadb_fixtures import connected
from tests.services.command_line import SETTINGS, fill, open_engine, running, shardlog


@pytest.fixture
def folder(tmp_path: Path, mariadb: str) -> Path:
    """Accounts with a past, whose tables stand in MariaDB; the password is in a file of its own."""
    url = make_url(mariadb)
    (tmp_path / "password").write_text(f"{url.password}\n")
    plain = f"mariadb://{url.username}@{url.host}:{url.port}/{url.database}"
    fill(tmp_path)
    (tmp_path / "journal" / "projections.sqlite").unlink()
    named = f"[projections]\ndatabase = {json.dumps(plain)}\npassword_file = 'password'\n"
    (tmp_path / "shardlog.toml").write_text(SETTINGS + named)
    with open_engine(tmp_path) as engine:
        engine.wait_for_projections()
    return tmp_path


def balances(url: str) -> list[tuple[object, ...]]:
    """By account, as an analyst asks for them."""
    connection = connected(url)
    with connection.cursor() as cursor:
        cursor.execute("SELECT account, balance FROM account_balances ORDER BY account LIMIT 2")
        found = list(cursor.fetchall())
    connection.close()
    return found


def test_an_engine_a_server_and_a_rebuild_use_these_tables(folder: Path, mariadb: str) -> None:
    there = [("l1:ada", 9), ("l2:bob", 0)]
    assert balances(mariadb) == there
    assert not (folder / "journal" / "projections.sqlite").exists()
    with running(folder, "dev", "--port", "0") as process:
        assert process.stdout is not None
        port = json.loads(process.stdout.readline())["port"]
        answer = httpx.get(f"http://127.0.0.1:{port}/v1/projections/balances?table=account_balances&limit=1").json()
    (row,) = answer["rows"]
    assert (row["account"], row["balance"], row["closed"]) == ("l1:ada", 9, False)
    (found,) = shardlog(folder, "status", "--json").json["projections"]
    assert (found["name"], sum(found["lag"].values())) == ("balances", 0)
    rebuilt = shardlog(folder, "rebuild", "balances", "--json")
    assert rebuilt.code == 0, rebuilt.err
    assert rebuilt.json["handled"] > 0
    assert balances(mariadb) == there


@pytest.mark.parametrize("scheme", ["mssql", "mssql+pyodbc", "oracle"])
def test_settings_open_no_database_that_is_not_supported(scheme: str) -> None:
    with pytest.raises(ConfigurationError, match="'mariadb://user@host:port/database'"):
        ProjectionSettings(database=f"{scheme}://ann@db/x")


def test_a_password_in_a_url_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="has a password in it"):
        ProjectionSettings(database="mariadb://ann:secret@db/x")

"""How the query API begins and ends: what refuses it at the start, and what it finishes at the end."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.services.query_served import SECONDS, QueryServer, Served, served

ROWS = "/v1/projections/balances/account_balances"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def query(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp(request.param)
    with served(request.param, folder, lambda: request.getfixturevalue("postgresql")) as running:
        yield running


def refused(settings: Path, text: str, *more: str) -> tuple[int, str]:
    """The exit code, and what is said, with other settings."""
    other = settings.with_name("other.toml")
    other.write_text(text)
    server = QueryServer(other, *more)
    code = server.ended()
    said = server.log.read_text()
    server.log.unlink()
    return code, said


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("SELECT nothing FROM account_balances", "line 1 on: the database does not take it"),
        ("-- :a text\nSELECT 1", "bad.sql: the statement does not use parameter 'a'"),
        ("-- What for.\n\nSELECT\n  :b", "bad.sql, line 4: :b is no parameter"),
        ("-- :a word Which.\nSELECT :a", "bad.sql, line 1: parameter 'a' is of kind 'word'"),
        ("-- :a integer = x Which.\nSELECT :a", "bad.sql, line 1: the default of parameter 'a' is x, and must be"),
        ("-- :after text\nSELECT :after", "a name that every query has of its own"),
        ("-- nothing", "has no statement"),
        ("SELECT owner, account, owner FROM account_balances", "line 1 on: it returns 2 columns named 'owner'"),
        ("SELECT 1; DROP TABLE account_balances", "bad.sql, the statement from line 1 on"),
        ("DELETE FROM account_balances", "bad.sql, the statement from line 1 on"),
    ],
)  # fmt: skip
def test_a_named_query_that_cannot_work_ends_the_start_with_file_and_line(query: Served, text: str, why: str) -> None:
    queries = query.settings.with_name("bad queries")
    queries.mkdir(exist_ok=True)
    (queries / "bad.sql").write_text(text)
    known = query.settings.read_text()
    before = query.dump()
    code, said = refused(
        query.settings, known.replace(f'"{query.settings.with_name("queries")}"', json.dumps(str(queries)))
    )
    assert (code, why in said) == (78, True), said
    assert query.dump() == before


def test_another_host_is_not_listened_to_unasked(query: Served) -> None:
    code, said = refused(query.settings, query.settings.read_text(), "--host", "0.0.0.0")
    assert (code, "there is no authentication" in said) == (78, True)


def test_tables_that_nobody_has_made_are_waited_for_by_who_starts_it(query: Served, tmp_path: Path) -> None:
    if query.database == "postgresql":
        text = query.settings.read_text().replace("schema = ", "schema = 'none' #")
        code, said = refused(query.settings, text)
        assert (code, "there is no schema 'none'" in said) == (78, True)
    else:
        text = query.settings.read_text().replace(str(query.engine.directory), str(tmp_path))
        code, said = refused(query.settings, text)
        assert (code, "does not exist yet" in said) == (75, True)


def test_the_role_that_keeps_the_tables_is_refused_as_a_reader(query: Served) -> None:
    if query.database == "sqlite":
        assert "user" not in query.settings.read_text()
        return
    lines = query.settings.read_text().splitlines()
    code, said = refused(query.settings, "\n".join(line for line in lines if not line.startswith("user = ")))
    assert (code, "[query] user is empty" in said) == (78, True)


def test_it_ends_when_what_was_asked_is_answered(query: Served) -> None:
    server = QueryServer(query.settings)
    server.wait_until_it_serves()
    journal = query.engine.meta.journal
    answers: list[int] = []
    url = f"{server.url}{ROWS}?after={journal}.0.999999.0&wait_ms=1500"
    asking = threading.Thread(target=lambda: answers.append(httpx.get(url, timeout=SECONDS).status_code))
    asking.start()
    while asking.is_alive() and "ESTAB" not in _connections(server):
        pass
    code = server.end(signal.SIGINT)
    asking.join()
    assert (code, answers) == (0, [503])


def _connections(server: QueryServer) -> str:
    """ESTAB where somebody is connected to it."""
    port = f"{urlsplit(server.url).port:04X}"
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return "ESTAB" if any(f.split()[1].endswith(f":{port}") and f.split()[3] == "01" for f in lines) else ""

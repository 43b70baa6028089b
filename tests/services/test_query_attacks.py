"""No question changes a table, learns what it must not, or breaks the query API: a corpus in every parameter, and
whatever schemathesis makes of the OpenAPI document. `EXAMPLES=1000` makes the second longer."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import CHECKS

from tests.services.query_served import Served, served

CORPUS = Path(__file__).parent / "corpus" / "injections.txt"
IS_LONG = "EXAMPLES" in os.environ
EXAMPLES = int(os.environ.get("EXAMPLES", "12"))
STATUSES = {200, 400, 404, 406, 408, 431, 503}
LEAKS = re.compile(
    r"sqlalchemy|psycopg|sqlite3?\.|sqlite_master|syntax error|SQLSTATE|Traceback|at or near|unterminated|DETAIL:|"
    r"near \"|File \"|root:x:0:0|PostgreSQL 1",
)
"""What databases, drivers and Python say of themselves; looked for in refusals, beside what was sent."""
ESCAPES = {"\\n": "\n", "\\r": "\r", "\\t": "\t", "\\0": "\0", "\\\\": "\\"}
WHOLE = ("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance")


def injections() -> list[str]:
    """The lines of the corpus."""
    lines = CORPUS.read_text("utf-8").splitlines()
    return [re.sub(r"\\[nrt0\\]", lambda found: ESCAPES[found[0]], line) for line in lines if not line.startswith("# ")]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def query(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp(request.param)
    with served(request.param, folder, lambda: request.getfixturevalue("postgresql")) as running:
        running.engine.wait_for_projections()
        yield running


@pytest.fixture
def unchanged(query: Served) -> Iterator[None]:
    """All tables are the same to the byte at the end, and the process has met no fault of its own."""
    before = query.dump()
    yield
    assert query.dump() == before
    assert "Traceback" not in query.server.log.read_text()
    assert not Path("/tmp/shardlog-injected").exists()
    assert not Path("/tmp/shardlog-injected.sqlite").exists()


def expect_harmless(answer: httpx.Response, sent: str) -> None:
    """A status that is meant, and a refusal that says nothing of what is behind it."""
    assert answer.status_code in STATUSES, (sent, answer.text)
    assert "set-cookie" not in answer.headers
    if answer.status_code != 200:
        assert answer.headers["content-type"] == "application/problem+json"
        said = answer.json()["detail"].replace(repr(sent[:40])[1:-1], "").replace(sent, "")
        assert LEAKS.search(said) is None, (sent, said)


def every_parameter(client: httpx.Client) -> list[tuple[str, dict[str, Any]]]:
    """Each path of the document with each of its parameters."""
    paths: dict[str, Any] = client.get("/v1/openapi.json").json()["paths"]
    return [(path, parameter) for path, item in paths.items() for parameter in item["get"]["parameters"]]


def required(client: httpx.Client, path: str) -> dict[str, str]:
    """What the path must be asked with."""
    return {"ledger": "main"} if path.endswith("/ledger-accounts") else {}


@pytest.mark.usefixtures("unchanged")
def test_the_corpus_in_every_parameter_is_taken_as_a_value_or_refused(query: Served) -> None:
    """Every parameter of two tables and of the queries, with every line: as a text it finds what is equal to it."""
    lines = injections()
    assert len(lines) > 140
    asked = {
        (path, parameter["name"])
        for path, parameter in every_parameter(query.client)
        if "balances/account" in path or "queries/" in path
    }
    assert len(asked) > 45
    step = 1 if IS_LONG else 4  # in the short form each parameter has another fourth of the lines
    for place, (path, name) in enumerate(sorted(asked)):
        if path.endswith(("/heavy", "/many")):
            continue
        for line in lines[place % step :: step]:
            given = {**required(query.client, path), "wait_ms": "0", name: line}
            answer = query.client.get(path, params=given)
            expect_harmless(answer, line)
            if answer.status_code == 200 and name in ("account", "owner", "ledger"):
                assert answer.json()["rows"] == [], (path, name, line)


@pytest.mark.usefixtures("unchanged")
def test_the_corpus_as_names_is_never_a_name(query: Served) -> None:
    rows = "/v1/projections/balances/account_balances"
    for line in injections():
        names = (line, f"balance.{line}", f"{line}.gte") if line != "account" else ()
        for name in names:
            assert query.client.get(rows, params={name: "1"}).status_code == 400, name
        for path in ("/v1/projections/{}", "/v1/projections/balances/{}", "/v1/queries/{}"):
            segment = httpx.QueryParams({"x": line}).__str__()[2:].replace("+", "%20") or "x"
            answer = query.client.get(path.format(segment))
            assert answer.status_code in (404, 400), (path, line, answer.text)


@pytest.mark.usefixtures("unchanged")
def test_a_named_query_says_back_whatever_text_it_is_given(query: Served) -> None:
    for line in injections():
        answer = query.client.get("/v1/queries/said", params={"text": line})
        if "\0" in line:
            assert answer.status_code == 400
        else:
            assert [row["said"] for row in answer.json()["rows"]] == [line]


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_whatever_the_document_allows_and_forbids_is_answered_as_it_says(query: Served, mode: GenerationMode) -> None:
    document = schemathesis.openapi.from_url(f"{query.server.url}/v1/openapi.json")
    checks = [check for check in CHECKS.get_all() if check.__name__ in WHOLE]
    assert len(checks) == len(WHOLE)
    seen: set[int] = set()

    for found in document.get_all_operations():
        operation = found.ok()
        if mode is GenerationMode.NEGATIVE and not list(operation.iter_parameters()):
            continue

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=not IS_LONG,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: Case) -> None:
            case.query = {**(case.query or {}), "wait_ms": 0} if "after" in (case.query or {}) else case.query
            answer = case.call()
            seen.add(answer.status_code)
            if answer.status_code in (431, 503):  # of any route: a head that is too large, and what is not there now
                assert answer.json()["code"] in ("head_too_large", "unavailable")
                return
            case.validate_response(answer, checks=checks)

        ask()
    assert (400 if mode is GenerationMode.NEGATIVE else 200) in seen
    assert seen <= STATUSES

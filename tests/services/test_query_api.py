"""The query API as a process, over tables in SQLite and in PostgreSQL that an engine goes on keeping."""

from __future__ import annotations

import csv
import io
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import pyarrow as pa
import pytest

from projections.banking import balances
from projections.banking.balances import AccountBalance
from shardlog.ports.builds import Build
from shardlog.ports.projections import Batch, TableChanges
from tests.services.query_served import ACCOUNTS, ROWS_MAX, SECONDS, Served, served

ROWS = "/v1/projections/balances/account_balances"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def query(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp(request.param)
    with served(request.param, folder, lambda: request.getfixturevalue("postgresql")) as running:
        yield running


def problem(answer: httpx.Response, status: int, code: str) -> str:
    """The detail of a problem."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    said = answer.json()
    assert (said["status"], said["code"], said["type"]) == (status, code, f"urn:shardlog:{code}")
    return str(said["detail"])


# -- what there is -----------------------------------------------------------------------------------------------------
def test_projections_are_listed_with_how_far_they_are(query: Served) -> None:
    query.engine.wait_for_projections()
    found = {one["name"]: one for one in query.get("/v1/projections").json()["projections"]}
    assert list(found) == ["balances", "flights"]
    assert found["balances"]["tables"] == ["account_balances", "ledger_balances"]
    assert (found["balances"]["version"], found["balances"]["build"], found["balances"]["stopped"]) == (1, 1, "")
    lag = found["balances"]["lag"]
    assert [shard["shard"] for shard in lag] == [0, 1, 2, 3]
    journal = query.engine.meta.journal
    for shard in lag:
        assert shard["token"] == f"{journal}.{shard['shard']}.{shard['next'] - 1}.0"


def test_a_projection_is_described_with_its_tables_columns_and_filters(query: Served) -> None:
    answer = query.get("/v1/projections/balances")
    tables = {table["name"]: table for table in answer.json()["tables"]}
    assert tables["account_balances"]["comment"].startswith("What each account holds, in cents.")
    columns = {column["name"]: column for column in tables["account_balances"]["columns"]}
    assert columns["account"]["is_key"]
    assert columns["in_transit"]["comment"] == "set aside for payments that have not arrived."
    assert columns["ledger"]["is_indexed"]
    assert (columns["closed"]["kind"], columns["closed"]["filters"]) == ("boolean", ["eq", "ne"])
    assert answer.headers["shardlog-as-of"].count(query.engine.meta.journal) == 4


@pytest.mark.parametrize(
    ("path", "named"),
    [("/v1/projections/balance", "balances"), ("/v1/projections/balances/account", "account_balances"),
     ("/v1/queries/ledger", "ledger-accounts"), ("/v1/nothing", "/v1/openapi.json")],
)  # fmt: skip
def test_what_is_not_there_is_answered_with_what_is(query: Served, path: str, named: str) -> None:
    assert named in problem(query.get(path), 404, "not_found")


def test_health_and_other_methods(query: Served) -> None:
    assert query.get("/health/live").json() == {"status": "live"}
    assert query.get("/health/ready").json() == {"status": "ready"}
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        answer = query.client.request(method, ROWS)
        problem(answer, 405, "method_not_allowed")
        assert answer.headers["allow"] == "GET"


def test_a_page_in_a_browser_cannot_reach_it_under_a_name_of_its_own(query: Served) -> None:
    problem(query.client.get("/v1/projections", headers={"host": "evil.example"}), 421, "unknown_host")


# -- rows --------------------------------------------------------------------------------------------------------------
def test_rows_are_filtered_sorted_and_cut_to_columns(query: Served) -> None:
    answer = query.get(
        ROWS, ledger="main", balance__gte="148", sort="-balance,account", columns="account,balance", limit="3"
    )
    assert answer.json()["rows"] == [
        {"account": "main:049", "balance": 149},
        {"account": "main:099", "balance": 149},
        {"account": "main:149", "balance": 149},
    ]
    assert list(answer.json()["rows"][0]) == ["account", "balance"]


def test_a_text_with_quotes_is_found_as_it_is(query: Served) -> None:
    assert len(query.get(ROWS, owner="o'3").json()["rows"]) == 18
    assert len(query.get(ROWS, owner__like="o'%", limit="200").json()["rows"]) == 125
    assert query.get(ROWS, owner="ä 8").json()["rows"][0]["account"] == "main:008"


@pytest.mark.parametrize("sort", [None, "-balance", "owner", "-owner,balance", "closed,-account"])
@pytest.mark.parametrize("form", ["json", "ndjson"])
def test_pages_hold_every_row_once(query: Served, sort: str | None, form: str) -> None:
    path: str | None = f"{ROWS}?limit=70&format={form}" + (f"&sort={sort}" if sort else "")
    pages: list[list[dict[str, Any]]] = []
    while path is not None:
        answer = query.client.get(path)
        rows = answer.json()["rows"] if form == "json" else [json.loads(line) for line in answer.text.splitlines()]
        pages.append(rows)
        assert (answer.links.get("next") is None) == (answer.headers.get("shardlog-next") is None)
        path = answer.links["next"]["url"] if "next" in answer.links else None
    assert [len(rows) for rows in pages] == [70, 70, 70, 40]
    seen = [row["account"] for rows in pages for row in rows]
    whole = query.get(ROWS, format="ndjson", **({"sort": sort} if sort else {})).text.splitlines()
    assert seen == [json.loads(line)["account"] for line in whole]
    assert len(set(seen)) == ACCOUNTS


def test_all_formats_say_the_same(query: Served) -> None:
    names = ["account", "owner", "balance", "closed"]
    asked = {"columns": ",".join(names), "limit": "50"}
    rows = query.get(ROWS, **asked).json()["rows"]
    lines = query.get(ROWS, format="ndjson", **asked)
    assert (lines.headers["content-type"], [json.loads(line) for line in lines.text.splitlines()]) == (
        "application/x-ndjson", rows,
    )  # fmt: skip
    table = query.get(ROWS, format="csv", **asked)
    assert table.headers["content-type"] == "text/csv"
    head, *body = csv.reader(io.StringIO(table.text))
    assert head == names
    assert body == [[r["account"], r["owner"], str(r["balance"]), str(r["closed"]).lower()] for r in rows]
    stream = query.client.get(ROWS, params=asked, headers={"accept": "application/vnd.apache.arrow.stream"})
    found = pa.ipc.open_stream(stream.content).read_all()
    assert [str(field.type) for field in found.schema] == ["string", "string", "int64", "bool"]
    assert found.to_pylist() == rows


def test_an_export_has_all_rows_beyond_the_limit_of_json(query: Served) -> None:
    assert ACCOUNTS > ROWS_MAX
    assert len(query.get(ROWS, format="csv").text.splitlines()) == ACCOUNTS + 1
    assert f"from 1 to {ROWS_MAX}" in problem(query.get(ROWS, limit=str(ROWS_MAX + 1)), 400, "invalid_query")


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        ({"balnce": "5"}, "did you mean 'balance'?"),
        ({"balance": "five"}, "balance='five', and must be an integer of 64 bits"),
        ({"balance": str(2**63)}, "must be an integer of 64 bits"),
        ({"balance__like": "5"}, "a column of kind integer has balance, balance.ne, balance.lt"),
        ({"closed__gt": "true"}, "a column of kind boolean has closed, closed.ne"),
        ({"closed": "yes"}, "must be true or false"),
        ({"owner": "a\0b"}, "none of them zero"),
        ({"owner__like": "a\\b"}, "must be a pattern"),
        ({"sort": "nothing"}, "sort: there is no 'nothing'"),
        ({"sort": "account,-account"}, "twice"),
        ({"sort": "account; DROP TABLE account_balances"}, "sort: there is no"),
        ({"columns": "account,count(*)"}, "columns: there is no 'count(*)'"),
        ({"limit": "0"}, "from 1 to"),
        ({"limit": ["1", "2"]}, "limit is given 2 times"),
        ({"balance": ["1", "2"]}, "balance.in may be repeated"),
        ({"format": "xml"}, "json, csv, ndjson, arrow"),
        ({"wait_ms": "-1"}, "from 0 to 30000"),
    ],
)  # fmt: skip
def test_a_wrong_parameter_is_named_with_what_it_must_be(query: Served, parameters: dict[str, Any], why: str) -> None:
    assert why in problem(query.get(ROWS, **parameters), 400, "invalid_query")


def test_a_cursor_of_another_order_table_or_hand_is_refused(query: Served) -> None:
    cursor = query.get(ROWS, limit="1").headers["shardlog-next"]
    for forged in ("x", "", cursor[:-3], cursor + "AA", "WzEsICIiLCBbXV0", "A" * 30_000):
        problem(query.get(ROWS, cursor=forged), 400, "invalid_cursor")
    problem(query.get(ROWS, cursor=cursor, sort="owner"), 400, "invalid_cursor")
    problem(query.get("/v1/projections/balances/ledger_balances", cursor=cursor), 400, "invalid_cursor")


def test_pages_go_on_behind_rows_whose_texts_are_longer_than_a_header(query: Served) -> None:
    owners = ["y" * 5_000, "y" * 5_001, "ä" * 30_000, "z" * 100_000]
    rows = [(f"long:{number}", "long", owner, 0, 0, False) for number, owner in enumerate(owners)]
    store, build = query.engine.database.open_store(), Build(balances, 1)
    try:
        store.write(Batch(build, tables=[TableChanges(AccountBalance, rows, {}, {}, [])]))
        wanted = query.get(ROWS, ledger="long", sort="owner", columns="owner", limit="10").json()["rows"]
        path: str | None = f"{ROWS}?ledger=long&sort=owner&columns=owner&limit=1"
        found: list[object] = []
        while path is not None:
            answer = query.client.get(path)
            assert answer.status_code == 200, answer.text
            found += answer.json()["rows"]
            assert sum(len(answer.headers.get(name, "")) for name in ("shardlog-next", "link")) < 8_192
            path = answer.links["next"]["url"] if "next" in answer.links else None
        assert found == wanted and len(found) == len(owners)
    finally:
        store.write(Batch(build, tables=[TableChanges(AccountBalance, [], {}, {}, [(row[0],) for row in rows])]))
        store.close()


def test_parameters_that_are_no_utf8_are_refused(query: Served) -> None:
    problem(query.client.get(f"{ROWS}?owner=%ff%fe"), 400, "invalid_query")
    problem(query.client.get(f"{ROWS}?" + "&".join(f"owner.ne={n}" for n in range(201))), 400, "invalid_query")


def test_a_form_that_nobody_makes_is_not_acceptable(query: Served) -> None:
    answer = query.client.get(ROWS, headers={"accept": "image/png"})
    assert "text/csv" in problem(answer, 406, "not_acceptable")


# -- read your writes --------------------------------------------------------------------------------------------------
def test_rows_behind_a_token_have_what_was_answered_with_it(query: Served) -> None:
    for number in range(20):
        before = query.get(ROWS, account="main:000").json()["rows"][0]["balance"]
        token = query.deposit("main:000", 1)
        answer = query.get(ROWS, account="main:000", after=token)
        assert answer.json()["rows"][0]["balance"] == before + 1, number
        shard, offset = token.split(".")[1:3]
        assert int(answer.json()["as_of"]["tokens"][shard].split(".")[2]) >= int(offset)


def test_a_named_query_waits_too(query: Served) -> None:
    token = query.deposit("main:001", 10_000)
    rows = query.get("/v1/queries/ledger-accounts", ledger="main", balance_min="10000", after=token).json()["rows"]
    assert [row["account"] for row in rows] == ["main:001"]
    query.engine.wait_for_projections()


def test_a_token_that_is_not_reached_in_time_is_unavailable_with_a_delay(query: Served) -> None:
    journal = query.engine.meta.journal
    answer = query.get(ROWS, after=f"{journal}.0.999999.0", wait_ms="50")
    assert "'balances' has not reached the token within 50 ms" in problem(answer, 503, "unavailable")
    assert answer.headers["retry-after"] == "1"


def test_several_tokens_are_waited_for(query: Served) -> None:
    journal = query.engine.meta.journal
    assert query.get(ROWS, after=[f"{journal}.{shard}.0.0" for shard in range(4)]).status_code == 200
    problem(query.get(ROWS, after=[f"{journal}.0.0.0", f"{journal}.1.999999.0"], wait_ms="0"), 503, "unavailable")


@pytest.mark.parametrize("token", ["", "x", "a.b.c.d", "1" * 5_000, "{journal}.4.0.0", "other.0.0.0", "{journal}.0.0"])
def test_what_is_no_token_of_this_journal_is_refused(query: Served, token: str) -> None:
    problem(query.get(ROWS, after=token.format(journal=query.engine.meta.journal)), 400, "invalid_token")


# -- named queries -----------------------------------------------------------------------------------------------------
def test_the_reference_application_s_queries_answer(query: Served) -> None:
    listed = {one["name"]: one for one in query.get("/v1/queries").json()["queries"]}
    assert {"busiest-aircraft", "late-carriers", "ledger-accounts"} <= set(listed)
    assert [p["name"] for p in listed["late-carriers"]["parameters"]] == ["month_first", "month_last", "departures_min"]
    late = query.get("/v1/queries/late-carriers", month_last="1").json()["rows"]
    assert [(row["carrier"], row["departures"], round(row["delayed_percent"], 2)) for row in late] == [
        ("B6", 39, 51.28), ("UA", 39, 28.21), ("AA", 39, 7.69),
    ]  # fmt: skip
    busy = query.get("/v1/queries/busiest-aircraft").json()["rows"]
    assert busy == [
        {"tail": "N1", "flights": 4, "air_time_h": 10.0, "distance_miles": 2_400, "rejected": 1},
        {"tail": "N2", "flights": 2, "air_time_h": 1.5, "distance_miles": 300, "rejected": 0},
    ]
    rich = query.get("/v1/queries/ledger-accounts", ledger="main", balance_min="149").json()
    assert {"main:049", "main:099"} <= {row["account"] for row in rich["rows"]}
    assert sorted(rich["as_of"]) == ["balances", "flights"]


def test_a_named_query_s_formats_say_the_same(query: Served) -> None:
    rows = query.get("/v1/queries/late-carriers").json()["rows"]
    lines = query.get("/v1/queries/late-carriers", format="ndjson").text.splitlines()
    assert [json.loads(line) for line in lines] == rows
    found = pa.ipc.open_stream(query.get("/v1/queries/late-carriers", format="arrow").content).read_all()
    assert found.to_pylist() == rows
    assert [str(field.type) for field in found.schema] == ["string", "int64", "int64", "double"]
    assert len(query.get("/v1/queries/late-carriers", format="csv").text.splitlines()) == 4


@pytest.mark.parametrize(
    ("name", "parameters", "why"),
    [("ledger-accounts", {}, "ledger is missing: Which ledger."), ("late-carriers", {"month_first": "x"}, "an integer"),
     ("late-carriers", {"month": "1"}, "did you mean"), ("said", {"limit": "5"}, "there is no 'limit'")],
)  # fmt: skip
def test_a_named_query_s_parameters_are_typed(query: Served, name: str, parameters: dict[str, str], why: str) -> None:
    assert why in problem(query.get(f"/v1/queries/{name}", **parameters), 400, "invalid_query")


def test_a_statement_that_takes_too_long_is_broken_off(query: Served) -> None:
    assert "400 ms (statement_timeout_ms)" in problem(query.get("/v1/queries/heavy"), 408, "query_timeout")


def test_a_result_of_too_many_rows_is_refused_and_not_cut(query: Served) -> None:
    for form in ("json", "csv", "arrow"):
        assert f"more than {ROWS_MAX} rows" in problem(query.get("/v1/queries/many", format=form), 400, "too_many_rows")


def test_heavy_queries_leave_room_for_others_again(query: Served) -> None:
    """More at once than there are connections: each is answered, and then the next question is."""
    answers: list[int] = []

    def ask() -> None:
        answers.append(httpx.get(f"{query.server.url}/v1/queries/heavy", timeout=SECONDS).status_code)

    threads = [threading.Thread(target=ask) for _ in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 24
    assert set(answers) <= {408, 503}
    assert query.get(ROWS, limit="1").status_code == 200


def test_clients_that_leave_in_the_middle_of_an_export_hold_nothing(query: Served) -> None:
    """Each of more clients than there are connections reads a little and goes."""
    at = urlsplit(query.server.url)
    for _ in range(20):
        with socket.create_connection((at.hostname, at.port), timeout=SECONDS) as client:
            client.sendall(f"GET {ROWS}?format=csv HTTP/1.1\r\nhost: {at.hostname}\r\n\r\n".encode())
            assert client.recv(64).startswith(b"HTTP/1.1 200")
    assert len(query.get(ROWS, format="csv").text.splitlines()) == ACCOUNTS + 1


def test_the_openapi_document_has_every_table_query_and_parameter(query: Served) -> None:
    paths = query.get("/v1/openapi.json").json()["paths"]
    assert {ROWS, "/v1/queries/said", "/v1/projections", "/v1/projections/flights/rejections"} <= set(paths)
    names = [parameter["name"] for parameter in paths[ROWS]["get"]["parameters"]]
    assert {"columns", "sort", "limit", "cursor", "after", "wait_ms", "format", "balance", "balance.gte"} <= set(names)
    said = paths["/v1/queries/ledger-accounts"]["get"]["parameters"]
    assert [parameter.get("required", False) for parameter in said[:2]] == [True, False]


def test_a_name_in_the_path_is_a_name(query: Served) -> None:
    for name in (
        "account_balances; DROP TABLE account_balances",
        "../projections.sqlite",
        "shardlog_checkpoints",
        "%00",
    ):
        assert query.client.get(f"/v1/projections/balances/{quote(name, safe='')}").status_code == 404


def test_lag_is_in_records_and_in_the_seconds_that_the_first_of_them_has_waited(query: Served) -> None:
    """While its build is paused the projection falls behind, and its rows and tokens stay of one moment."""
    store = query.engine.database.open_store()
    key = Build(balances, 1).key
    store.builds.pause(key, is_paused=True)
    try:
        give_up = time.monotonic() + SECONDS
        behind: list[dict[str, Any]] = []
        while not behind:
            assert time.monotonic() < give_up
            token = query.deposit("main:002", 1)
            lag = query.get("/v1/projections/balances").json()["projection"]["lag"]
            behind = [shard for shard in lag if (shard["seconds"] or 0) > 1.5]  # longer than a batch takes
        assert behind[0]["records"] > 0
        assert behind[0]["shard"] == int(token.split(".")[1])
        said = problem(query.get(ROWS, after=token, wait_ms="0"), 503, "unavailable")
        assert "'balances' has not reached the token within 0 ms, and is paused" in said
    finally:
        store.builds.pause(key, is_paused=False)
        store.close()
    assert query.get(ROWS, after=token, wait_ms="30000").status_code == 200
    lag = query.get("/v1/projections/balances").json()["projection"]["lag"]
    assert all(shard["next"] > 0 for shard in lag)

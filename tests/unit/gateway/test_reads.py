"""Streams, projections and health over HTTP."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from shardlog import CommandUnavailable
from shardlog.executor.limits import Limits
from shardlog.gateway.app import Gateway
from shardlog.wiring.embedded import Embedded
from tests.unit.gateway.served import IMPATIENT, PlayedEngine, ask, serving


def add(client: httpx.Client, id: str, beans: int = 1) -> str:
    """Returns the token."""
    answer = client.post(f"/v1/streams/jar/{id}/add", json={"beans": beans})
    assert answer.status_code == 200
    return str(answer.json()["token"])


def problem(response: httpx.Response) -> tuple[int, str]:
    assert response.headers["content-type"] == "application/problem+json"
    return response.status_code, response.json()["code"]


# -- streams -----------------------------------------------------------------------------------------------------------
def test_a_stream_is_shown_with_its_version_as_etag(client: httpx.Client, jar_id: str) -> None:
    add(client, jar_id)
    add(client, jar_id)
    response = client.get(f"/v1/streams/jar/{jar_id}")
    assert response.json() == {"category": "jar", "id": jar_id, "version": 2, "state": {"beans": 2}}
    assert response.headers["etag"] == '"2"'
    etag = {"if-match": response.headers["etag"]}
    assert client.post(f"/v1/streams/jar/{jar_id}/add", json={}, headers=etag).status_code == 200
    assert problem(client.post(f"/v1/streams/jar/{jar_id}/add", json={}, headers=etag)) == (412, "wrong_version")


def test_a_stream_without_events_is_at_version_0(client: httpx.Client, jar_id: str) -> None:
    response = client.get(f"/v1/streams/jar/{jar_id}")
    assert (response.json()["version"], response.json()["state"]) == (0, {"beans": 0})
    assert response.headers["etag"] == '"0"'


@pytest.mark.parametrize(
    ("path", "expected"), [("tin/a", (404, "unknown_command")), ("jar/a%20b", (400, "invalid_id"))]
)
def test_what_can_have_no_stream_is_refused(client: httpx.Client, path: str, expected: tuple[int, str]) -> None:
    url = httpx.URL(str(client.base_url), raw_path=f"/v1/streams/{path}".encode())
    assert problem(client.get(url)) == expected


def test_a_shard_that_is_not_served_cannot_be_read() -> None:
    engine = PlayedEngine(lambda _: CommandUnavailable("unavailable", "it stopped", 200))
    assert problem(ask(engine, "GET", "/v1/streams/jar/a")) == (503, "unavailable")


def test_a_read_without_an_answer_in_time_is_answered() -> None:
    assert problem(ask(PlayedEngine(lambda _: None), "GET", "/v1/streams/jar/a", settings=IMPATIENT)) == (
        503,
        "unavailable",
    )


# -- projections -------------------------------------------------------------------------------------------------------
def test_rows_are_shown_behind_the_token_of_a_command(client: httpx.Client) -> None:
    tokens = [add(client, id, beans) for id, beans in (("rows:a", 3), ("rows:b", 4), ("elsewhere:a", 1))]
    response = client.get("/v1/projections/counts", params={"after": tokens})
    found = response.json()
    assert (found["projection"]["name"], found["projection"]["version"], found["table"]) == ("counts", 1, "beans")
    assert {"jar": "rows:a", "beans": 3} in found["rows"]
    assert {"jar": "rows:b", "beans": 4} in found["rows"]
    assert [row["jar"] for row in found["rows"]] == sorted(row["jar"] for row in found["rows"])


def test_rows_are_limited(client: httpx.Client) -> None:
    tokens = [add(client, f"limited:{n}") for n in range(3)]
    response = client.get("/v1/projections/counts", params={"after": tokens, "limit": 2, "table": "beans"})
    assert len(response.json()["rows"]) == 2


def test_projections_say_how_far_they_are_and_what_they_could_not_handle(tmp_path: Path) -> None:
    with serving(tmp_path) as (_, client):
        token = add(client, "shelf:1", 13)
        token = add(client, "shelf:1", 1)
        assert client.get("/v1/projections/counts", params={"after": token}).json()["rows"] == []
        [shown] = client.get("/v1/projections").json()["projections"]
    assert shown == {
        "name": "counts",
        "version": 1,
        "tables": ["beans"],
        "lag": {"0": 0, "1": 0},
        "stopped": None,
        "dead_letters": 2,
    }


@pytest.mark.parametrize(
    ("query", "expected"),
    [("limit=0", (400, "invalid_query")), ("limit=1001", (400, "invalid_query")), ("limit=x", (400, "invalid_query")),
     ("wait_ms=1e3&after=x", (400, "invalid_token")), ("sort=beans", (400, "invalid_query")),
     ("after=nonsense", (400, "invalid_token")), ("after=another.0.1.0", (400, "invalid_token")),
     ("table=peas", (404, "not_found"))],
)  # fmt: skip
def test_a_query_that_cannot_be_answered_is_refused(
    client: httpx.Client, query: str, expected: tuple[int, str]
) -> None:
    assert problem(client.get(f"/v1/projections/counts?{query}")) == expected


def test_an_unknown_projection_is_not_found(client: httpx.Client) -> None:
    response = client.get("/v1/projections/nothing")
    assert problem(response) == (404, "not_found")
    assert "counts" in response.json()["detail"]


def test_a_token_that_is_not_reached_in_time_is_answered(served: tuple[Embedded, httpx.Client]) -> None:
    engine, client = served
    token = f"{engine.meta.journal}.0.999999.0"
    response = client.get("/v1/projections/counts", params={"after": token, "wait_ms": 30})
    assert problem(response) == (503, "unavailable")


def test_a_paused_projection_is_said_to_be_paused(tmp_path: Path) -> None:
    with serving(tmp_path) as (engine, client):
        add(client, "shelf:1")
        engine.wait_for_projections()
        store = engine.database.open_store()
        store.builds.pause(store.builds.records("counts")[0].key, is_paused=True)
        token = f"{engine.meta.journal}.0.999999.0"
        response = client.get("/v1/projections/counts", params={"after": token, "wait_ms": 30})
        store.close()
        assert problem(response) == (503, "unavailable")
        assert "within 30 ms, and is paused: `shardlog projections resume`" in response.json()["detail"]


def test_a_stopped_projection_is_shown_and_nobody_waits_for_it(tmp_path: Path) -> None:
    with serving(tmp_path) as (engine, client):
        add(client, "shelf:1")
        engine.wait_for_projections()
        with engine.projections.paused("counts") as projector:
            projector._workers[0].stopped = RuntimeError("somebody changed the table")  # type: ignore[assignment]
        token = add(client, "shelf:1")
        response = client.get("/v1/projections/counts", params={"after": token})
        assert problem(response) == (503, "unavailable")
        assert "somebody changed the table" in response.json()["detail"]
        [shown] = client.get("/v1/projections").json()["projections"]
        assert (shown["stopped"], sum(shown["lag"].values())) == ("somebody changed the table", 1)


# -- health ------------------------------------------------------------------------------------------------------------
def test_a_process_that_serves_is_live_and_ready(client: httpx.Client) -> None:
    assert client.get("/health/live").json() == {"status": "live"}
    ready = client.get("/health/ready")
    assert (ready.status_code, ready.json()) == (200, {"status": "ready", "shards": {"0": "serving", "1": "serving"}})


def test_a_process_with_a_shard_that_is_not_served_is_live_and_not_ready() -> None:
    engine = PlayedEngine(lambda _: None, {0: "serving", 1: "backing off"})
    assert ask(engine, "GET", "/health/live").status_code == 200
    ready = ask(engine, "GET", "/health/ready")
    assert (ready.status_code, ready.json()) == (503, {"status": "not ready", "shards": {"0": "serving", "1": "backing off"}})  # noqa: E501  # fmt: skip


def test_a_process_that_ends_is_live_and_not_ready() -> None:
    async def ask_while_it_drains() -> list[httpx.Response]:
        gateway = Gateway(PlayedEngine(lambda _: None), None, Limits())
        gateway.drain()
        async with httpx.AsyncClient(transport=httpx.ASGITransport(gateway), base_url="http://gateway") as client:
            return [await client.get("/health/live"), await client.get("/health/ready")]

    live, ready = asyncio.run(ask_while_it_drains())
    assert live.status_code == 200
    assert (ready.status_code, ready.json()["status"]) == (503, "draining")


def test_a_fault_of_the_gateway_is_a_problem_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: object) -> object:
        raise ZeroDivisionError("in the gateway")

    assert problem(ask(PlayedEngine(fail), "POST", "/v1/streams/jar/a/add", json={})) == (500, "internal_error")
    assert "ZeroDivisionError: in the gateway" in caplog.text


def test_without_projections_there_are_no_routes_for_them() -> None:
    assert problem(ask(PlayedEngine(lambda _: None), "GET", "/v1/projections")) == (404, "not_found")

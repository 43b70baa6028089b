"""What clients cannot do to the server: ask too often, hold too many connections, send without an end."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from shardlog.gateway.settings import GatewaySettings
from tests.unit.gateway.served import JSON, serving
from tests.unit.gateway.test_connections import REQUEST, read_all

HALF_A_HEAD = b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n"
WHOLE = HALF_A_HEAD + b"\r\n"
DEADLINE_S = 20


def until(found: Callable[[], bool]) -> None:
    """Wait until it is so."""
    end = time.monotonic() + DEADLINE_S
    while not found():
        assert time.monotonic() < end, f"it did not come within {DEADLINE_S} s"


def connection_to(client: httpx.Client) -> socket.socket:
    return socket.create_connection((client.base_url.host, client.base_url.port or 0), timeout=DEADLINE_S)


def add(client: httpx.Client, id: str) -> httpx.Response:
    return client.post("/v1/streams/jar/a/add", json={"beans": 1}, headers={"idempotency-key": id})


# -- requests a second -------------------------------------------------------------------------------------------------
def test_requests_beyond_the_rate_are_answered_429_and_not_applied(tmp_path: Path) -> None:
    with serving(tmp_path, settings=GatewaySettings(requests_per_s_max=1)) as (_, client):
        answers: list[httpx.Response] = []

        def is_refused() -> bool:
            answers.append(add(client, f"id-{len(answers)}"))
            return answers[-1].status_code != 200

        until(is_refused)
        *taken, refused = answers
        assert (refused.status_code, refused.headers["content-type"]) == (429, "application/problem+json")
        assert refused.headers["retry-after"] == "1"
        assert (refused.json()["code"], refused.json()["retry_after_ms"]) == ("too_many_requests", 1000)
        assert "more than 1 requests a second (requests_per_s_max)" in refused.json()["detail"]
        assert {client.get("/health/live").status_code for _ in range(20)} == {200}

        until(lambda: add(client, f"id-{len(taken)}").status_code == 200)
        until(lambda: (read := client.get("/v1/streams/jar/a")).status_code == 200 and _has(read, len(taken) + 1))


def _has(read: httpx.Response, beans: int) -> bool:
    assert read.json()["state"] == {"beans": beans}
    return True


def test_without_a_rate_nobody_is_refused(tmp_path: Path) -> None:
    with serving(tmp_path) as (_, client):
        assert {add(client, f"id-{number}").status_code for number in range(50)} == {200}


# -- connections -------------------------------------------------------------------------------------------------------
def test_a_connection_too_many_is_answered_503_and_closed_and_one_that_ends_makes_room(tmp_path: Path) -> None:
    with serving(tmp_path, settings=GatewaySettings(connections_max=2)) as (_, client):
        with closing(connection_to(client)) as first, closing(connection_to(client)) as second:
            for held in (first, second):
                held.sendall(WHOLE)
                assert held.recv(65_536).startswith(b"HTTP/1.1 200 ")
            with closing(connection_to(client)) as third:
                refused = read_all(third)
            assert refused.startswith(b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\n")
            assert b"\r\nretry-after: 1\r\n" in refused
            assert b"2 connections are open (connections_max)" in refused
            second.sendall(WHOLE)
            assert second.recv(65_536).startswith(b"HTTP/1.1 200 ")

        def is_served() -> bool:
            with closing(connection_to(client)) as another:
                another.sendall(WHOLE.replace(b"\r\nhost", b"\r\nconnection: close\r\nhost"))
                return read_all(another).startswith(b"HTTP/1.1 200 ")

        until(is_served)


# -- slow clients ------------------------------------------------------------------------------------------------------
SLOW = GatewaySettings(receive_deadline_ms=300)


def test_half_a_head_is_answered_408_and_the_connection_closed(tmp_path: Path) -> None:
    with serving(tmp_path, settings=SLOW) as (_, client), closing(connection_to(client)) as slow:
        slow.sendall(HALF_A_HEAD)
        text = read_all(slow)
    assert text.startswith(b"HTTP/1.1 408 Request Timeout\r\ncontent-type: application/problem+json\r\n")
    assert b'"code":"request_timeout"' in text
    assert b"within 300 ms (receive_deadline_ms)" in text


def test_a_connection_that_says_nothing_is_closed(tmp_path: Path) -> None:
    with serving(tmp_path, settings=SLOW) as (_, client), closing(connection_to(client)) as silent:
        assert read_all(silent) == b""


@pytest.mark.parametrize("before", [b"", WHOLE], ids=["at first", "after a request"])
@pytest.mark.parametrize("piece", [b"x: y\r\n", b"\r\n"], ids=["headers", "blank lines"])
def test_piece_by_piece_a_head_has_no_more_time(tmp_path: Path, before: bytes, piece: bytes) -> None:
    with serving(tmp_path, settings=SLOW) as (_, client), closing(connection_to(client)) as slow:
        slow.sendall(before + (HALF_A_HEAD if piece != b"\r\n" else b""))
        slow.settimeout(0.01)
        end = time.monotonic() + DEADLINE_S
        while time.monotonic() < end:
            try:
                slow.sendall(piece)
                if not (received := slow.recv(65_536)) or b" 408 " in received:
                    return
            except TimeoutError:
                continue
            except OSError:
                return
        pytest.fail(f"still open after {DEADLINE_S} s")


def test_a_body_that_does_not_come_is_answered_408_and_nothing_is_applied(tmp_path: Path) -> None:
    with serving(tmp_path, settings=SLOW) as (_, client), closing(connection_to(client)) as slow:
        slow.sendall((REQUEST % b"a")[:-5])
        text = slow.recv(65_536)
        assert text.startswith(b"HTTP/1.1 408 ")
        assert b'"code":"request_timeout"' in text
        assert client.get("/v1/streams/jar/a").json()["version"] == 0


def test_a_batch_may_take_its_time(tmp_path: Path) -> None:
    """Its lines come when they come: longer than a head may take, which is seen by one that is closed meanwhile."""
    line = b'{"category": "jar", "id": "a", "command": "add", "payload": {}}\n'
    with serving(tmp_path, settings=SLOW) as (_, client):

        def lines() -> object:
            yield line
            with closing(connection_to(client)) as other:
                other.sendall(HALF_A_HEAD)
                assert b" 408 " in read_all(other)
            yield line

        response = client.post("/v1/commands", content=lines(), headers={"content-type": "application/x-ndjson"})  # type: ignore[arg-type]
        assert [one.split(b",")[1] for one in response.content.splitlines()] == [b'"status":200', b'"status":200']


def test_a_fault_is_logged_on_one_line_whatever_the_path_holds(caplog: pytest.LogCaptureFixture) -> None:
    from tests.unit.gateway.served import PlayedEngine, ask

    def fail(_: object) -> object:
        raise ZeroDivisionError("in the gateway")

    assert (
        ask(PlayedEngine(fail), "POST", "/v1/streams/jar/a%0AERROR forged/add", json={}, headers=JSON).status_code
        == 500
    )
    assert caplog.records[0].getMessage().splitlines() == [caplog.records[0].getMessage()]

"""NDJSON batches: an answer a line, in order, whatever the lines hold and however they arrive."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterable
from typing import Any

import httpx
import pytest
from starlette.types import Message

from shardlog import CommandAccepted, CommandUnavailable
from shardlog.executor.limits import Limits
from shardlog.executor.requests import Request, Waiting
from shardlog.gateway.batch import BatchRoute
from shardlog.gateway.lines import LineSplitter
from shardlog.gateway.settings import GatewaySettings
from tests.unit.gateway.served import BYTES_MAX, GATEWAY, NDJSON, PlayedEngine


def line(id: str, command: str = "add", payload: object = None, **fields: object) -> bytes:
    written = {"category": "jar", "id": id, "command": command, "payload": payload or {}, **fields}
    return json.dumps(written).encode() + b"\n"


def post(client: httpx.Client, content: bytes | Iterable[bytes]) -> list[dict[str, Any]]:
    response = client.post("/v1/commands", content=content, headers=NDJSON)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/x-ndjson"
    return [json.loads(text) for text in response.text.splitlines()]


def codes(answers: list[dict[str, Any]]) -> list[tuple[int, int, str]]:
    return [(answer["line"], answer["status"], answer.get("code", "accepted")) for answer in answers]


# -- answers -----------------------------------------------------------------------------------------------------------
def test_each_line_is_answered_in_order_with_its_number(client: httpx.Client, jar_id: str) -> None:
    answers = post(
        client,
        line(jar_id, payload={"beans": 2}, command_id="b1")
        + line(jar_id, payload={"beans": -1})
        + b"no command\n"
        + b"\n   \n"
        + line(jar_id, "eat")
        + line("a b")
        + line(jar_id, expected_version=7)
        + line(jar_id, "look", occurred_at="2026-03-01T12:00:00Z", correlation="c", causation="d", traceparent="e")
        + line(jar_id, payload={"beans": 2}, command_id="b1"),
    )
    assert codes(answers) == [
        (1, 200, "accepted"),
        (2, 409, "too_few"),
        (3, 400, "invalid_command"),
        (6, 404, "unknown_command"),
        (7, 400, "invalid_id"),
        (8, 412, "wrong_version"),
        (9, 200, "accepted"),
        (10, 200, "accepted"),
    ]
    first, repeat = answers[0], answers[-1]
    assert first["events"] == [{"type": "added", "version": 1, "data": {"beans": 2}}]
    assert first | {"line": 10} == repeat
    assert answers[1]["command_id"]
    assert "command_id" not in answers[2]


NO_COMMAND = [
    b"{}",
    b"[1]",
    b"null",
    b'{"category":"jar"}',
    b"\xff",
    b"[" * 900,
    b'{"category":"jar","id":"a","command":"add"}',
    b'{"payload":"\\ud800"',
    line("a", tenant="t").strip(),
    line("a", expected_version=-1).strip(),
    line("a", occurred_at="1960-01-01T00:00:00Z").strip(),
    line("a", occurred_at="2026-01-01T00:00:00").strip(),
    line("a", command_id=5).strip(),
]


@pytest.mark.parametrize("text", NO_COMMAND)
def test_a_line_that_is_no_command_is_answered_and_those_around_it_are_served(
    client: httpx.Client, jar_id: str, text: bytes
) -> None:
    answers = post(client, line(jar_id) + text + b"\r\n" + line(jar_id))
    assert codes(answers) == [(1, 200, "accepted"), (2, 400, "invalid_command"), (3, 200, "accepted")]
    assert answers[2]["version"] == 2


def test_a_line_beyond_the_limit_is_answered_without_being_held(client: httpx.Client, jar_id: str) -> None:
    def pieces() -> Iterable[bytes]:
        yield line(jar_id)
        for _ in range(100):
            yield b"x" * 10_000
        yield b"\n" + line(jar_id, payload={"beans": 1, "peas": "x" * BYTES_MAX}) + line(jar_id)

    answers = post(client, pieces())
    assert codes(answers) == [
        (1, 200, "accepted"),
        (2, 413, "too_large"),
        (3, 413, "too_large"),
        (4, 200, "accepted"),
    ]


def test_an_empty_batch_has_no_answers(client: httpx.Client) -> None:
    assert post(client, b"") == post(client, b"\n\n") == []


def test_the_last_line_needs_no_line_end(client: httpx.Client, jar_id: str) -> None:
    assert codes(post(client, line(jar_id).rstrip())) == [(1, 200, "accepted")]


def test_more_lines_than_the_window_holds_are_all_answered_in_order(client: httpx.Client) -> None:
    count = 3 * GatewaySettings().batch_lines_max
    answers = post(client, b"".join(line(f"many:{n % 97}") for n in range(count)))
    assert [answer["line"] for answer in answers] == list(range(1, count + 1))
    assert {answer["status"] for answer in answers} == {200}


def test_another_media_type_is_refused(client: httpx.Client) -> None:
    response = client.post("/v1/commands", content=b"{}\n", headers={"content-type": "application/json"})
    assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")


# -- over time ---------------------------------------------------------------------------------------------------------
def test_answers_come_while_the_batch_is_still_being_sent(client: httpx.Client, jar_id: str) -> None:
    answered = threading.Event()

    def pieces() -> Iterable[bytes]:
        yield line(jar_id)
        assert answered.wait(20)
        yield line(jar_id)

    with socket.create_connection((client.base_url.host, client.base_url.port or 0), timeout=20) as connection:
        head = b"POST /v1/commands HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-ndjson\r\n"
        connection.sendall(head + b"transfer-encoding: chunked\r\n\r\n")
        text = b""
        for piece in pieces():
            connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
            while text.count(b'{"line":') == (1 if answered.is_set() else 0):
                text += connection.recv(65_536)
            answered.set()
        connection.sendall(b"0\r\n\r\n")
        while not text.endswith(b"0\r\n\r\n"):
            text += connection.recv(65_536)
    assert text.count(b'"status":200') == 2


class Played:
    """A batch whose client and engine are a test's, on one event loop."""

    def __init__(self, settings: GatewaySettings = GATEWAY) -> None:
        self.taken: list[Request] = []
        self.incoming: asyncio.Queue[Message] = asyncio.Queue()
        self.sent = b""
        self.may_send = asyncio.Event()
        self.may_send.set()
        self.route = BatchRoute(PlayedEngine(self._take), Limits(command_bytes_max=BYTES_MAX), settings)
        scope = {"type": "http", "headers": [(b"content-type", b"application/x-ndjson")]}
        self.task = asyncio.create_task(self.route(scope, self.incoming.get, self._send))

    def _take(self, waiting: Waiting) -> None:
        assert isinstance(waiting, Request)
        self.taken.append(waiting)

    async def _send(self, message: Message) -> None:
        await self.may_send.wait()
        self.sent += message.get("body", b"")

    def send(self, body: bytes, more: bool = True) -> None:
        self.incoming.put_nowait({"type": "http.request", "body": body, "more_body": more})

    def answer(self, first: int, last: int, token: str = "t") -> None:
        for request in self.taken[first:last]:
            request.sink.deliver([(request.ticket, CommandAccepted((), None, token))])

    async def settled(self) -> None:
        """Let everybody run until nothing moves any more."""
        before: object = None
        while before != (before := (len(self.taken), len(self.sent), self.incoming.qsize())):
            for _ in range(50):
                await asyncio.sleep(0)


def lines(count: int) -> bytes:
    return b"".join(line("a", command_id=f"c{n}") for n in range(count))


def test_a_line_that_waits_holds_back_the_answers_behind_it() -> None:
    async def play() -> None:
        played = Played()
        played.send(lines(3), more=False)
        await played.settled()
        played.answer(1, 3)
        await played.settled()
        assert played.sent == b""
        played.answer(0, 1)
        await played.task
        assert [json.loads(text)["line"] for text in played.sent.splitlines()] == [1, 2, 3]

    asyncio.run(play())


def test_no_more_lines_are_taken_than_the_window_holds() -> None:
    settings = GatewaySettings(batch_lines_max=5)

    async def play() -> None:
        played = Played(settings)
        played.send(lines(12), more=False)
        await played.settled()
        assert len(played.taken) == 5
        played.answer(0, 2)
        await played.settled()
        assert len(played.taken) == 7
        played.answer(2, 7)
        await played.settled()
        played.answer(7, 12)
        await played.task
        assert len(played.sent.splitlines()) == 12

    asyncio.run(play())


def test_the_window_is_bounded_in_bytes_too() -> None:
    settings = GatewaySettings(batch_lines_bytes_max=2 * len(lines(1)))

    async def play() -> None:
        played = Played(settings)
        played.send(lines(6), more=False)
        await played.settled()
        assert len(played.taken) in (2, 3)
        while not played.task.done():
            played.answer(played.sent.count(b"\n"), len(played.taken))
            await played.settled()
        assert len(played.sent.splitlines()) == 6

    asyncio.run(play())


def test_a_client_that_reads_no_answers_is_read_no_further() -> None:
    settings = GatewaySettings(batch_answers_bytes_max=200)

    async def play() -> None:
        played = Played(settings)
        played.may_send.clear()
        played.send(lines(1))
        await played.settled()
        played.answer(0, 1)
        await played.settled()  # its answer waits to be sent
        played.send(lines(4))
        await played.settled()
        played.answer(1, 5, token="x" * 100)
        await played.settled()
        played.send(lines(3), more=False)
        await played.settled()
        assert len(played.taken) == 5
        played.may_send.set()
        await played.settled()
        assert len(played.taken) == 8
        played.answer(5, 8)
        await played.task
        assert len(played.sent.splitlines()) == 8

    asyncio.run(play())


def test_a_client_that_goes_away_ends_its_batch() -> None:
    async def play() -> None:
        played = Played()
        played.send(lines(2))
        played.incoming.put_nowait({"type": "http.disconnect"})
        await played.settled()
        played.answer(0, 2)
        await asyncio.wait_for(played.task, 20)

    asyncio.run(play())


def test_draining_answers_what_was_taken_and_says_from_which_line_on_nothing_was() -> None:
    settings = GatewaySettings(batch_lines_max=4)

    async def play() -> list[dict[str, Any]]:
        played = Played(settings)
        played.send(b"\n" + lines(9))
        await played.settled()
        played.route.drain()
        await played.settled()
        played.answer(0, 4)
        await asyncio.wait_for(played.task, 20)
        return [json.loads(text) for text in played.sent.splitlines()]

    answers = asyncio.run(play())
    assert codes(answers)[:-1] == [(n, 200, "accepted") for n in (2, 3, 4, 5)]
    assert codes(answers)[-1] == (6, 503, "unavailable")
    assert "line 6 and those behind it" in answers[-1]["detail"]


def test_unavailable_lines_say_when_to_come_back() -> None:
    async def play() -> bytes:
        played = Played()
        played.send(lines(1), more=False)
        await played.settled()
        request = played.taken[0]
        request.sink.deliver([(request.ticket, CommandUnavailable("unavailable", "full", 200))])
        await played.task
        return played.sent

    answer = json.loads(asyncio.run(play()))
    assert (answer["status"], answer["command_id"], answer["retry_after_ms"]) == (503, "c0", 200)


# -- lines -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("size", [1, 2, 3, 7, 1_000])
def test_lines_are_the_same_however_the_body_arrives(size: int) -> None:
    body = b"one\n\n  two\r\n" + b"x" * 40 + b"\n\nthree"
    splitter = LineSplitter(20)
    found = [line for i in range(0, len(body), size) for line in splitter.feed(body[i : i + size])]
    found += splitter.end()
    assert [tuple(line) for line in found] == [(1, b"one", 3), (3, b"  two\r", 6), (4, None, 40), (6, b"three", 5)]

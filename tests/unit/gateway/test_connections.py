"""What arrives at the socket: heads without an end, answers in one packet, bytes that are no HTTP."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from shardlog.gateway.settings import GatewaySettings
from shardlog.wiring.http_protocol import _JoiningTransport

HEAD_BYTES_MAX = GatewaySettings().head_bytes_max

REQUEST = b'POST /v1/streams/jar/%s/add HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n{"beans":1}'  # noqa: E501


@contextmanager
def connected(client: httpx.Client) -> Iterator[socket.socket]:
    with socket.create_connection((client.base_url.host, client.base_url.port or 0), timeout=20) as connection:
        yield connection


def read_all(connection: socket.socket) -> bytes:
    """What comes until the server closes."""
    text = b""
    try:
        while piece := connection.recv(65_536):
            text += piece
    except ConnectionResetError:  # it closed while bytes of ours were still on their way
        pass
    return text


def is_served(client: httpx.Client) -> bool:
    return client.get("/health/live").status_code == 200


@pytest.mark.parametrize("endless", [b"GET /" + b"a" * 8_000, b"GET / HTTP/1.1\r\nx: " + b"a" * 8_000])
def test_a_head_without_an_end_is_refused(client: httpx.Client, endless: bytes) -> None:
    with connected(client) as connection:
        sent = len(endless)
        connection.sendall(endless)
        try:
            while sent < 100 * HEAD_BYTES_MAX:
                connection.sendall(b"a" * 8_000)
                sent += 8_000
        except OSError:
            pass
        assert sent < 100 * HEAD_BYTES_MAX
        text = read_all(connection)
    assert text == b"" or (text.startswith(b"HTTP/1.1 431 ") and b'"code":"head_too_large"' in text)
    assert is_served(client)


def test_the_refusal_of_a_head_is_a_problem(client: httpx.Client) -> None:
    with connected(client) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nx: " + b"a" * HEAD_BYTES_MAX)
        text = read_all(connection)
    assert text.startswith(
        b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/problem+json\r\n"
    )
    assert str(HEAD_BYTES_MAX).encode() in text


def test_many_short_requests_over_one_connection_are_no_long_head(client: httpx.Client, jar_id: str) -> None:
    request = REQUEST % jar_id.encode()
    with connected(client) as connection:
        for _ in range(2 * HEAD_BYTES_MAX // len(request)):
            connection.sendall(request)
            text = connection.recv(65_536)
            assert text.startswith(b"HTTP/1.1 200 OK\r\n")
            assert text.endswith(b"}")


def test_pipelined_requests_are_answered_in_order(client: httpx.Client, jar_id: str) -> None:
    request = REQUEST % jar_id.encode()
    with connected(client) as connection:
        connection.sendall(request * 2 + request.replace(b"\r\nhost", b"\r\nconnection: close\r\nhost"))
        text = read_all(connection)
    places = [text.find(b'"version":%d,"token"' % version) for version in (1, 2, 3)]
    assert -1 < places[0] < places[1] < places[2]


def test_who_asks_before_sending_a_body_is_told_to_go_on(client: httpx.Client, jar_id: str) -> None:
    head, body = (REQUEST % jar_id.encode()).split(b"\r\n\r\n")
    with connected(client) as connection:
        connection.sendall(head + b"\r\nexpect: 100-continue\r\n\r\n")
        assert connection.recv(1_000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200 OK")


NO_HTTP = [
    b"\x16\x03\x01\x02\x00",
    b"hello\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"\x00" * 100,
    b"POST / HTTP/1.1\r\ncontent-length: x\r\n\r\n",
    b"POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"POST / HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    b"GET /\xff HTTP/1.1\r\nhost: localhost\r\n\r\n",
]


@pytest.mark.parametrize("path", ["/health/live", "/nowhere", "/v1/commands"])
def test_a_question_for_the_head_alone_is_answered(client: httpx.Client, path: str) -> None:
    for _ in range(2):
        response = client.head(path)
        assert response.content == b""
        assert response.status_code == client.get(path).status_code


@pytest.mark.parametrize("text", NO_HTTP)
def test_what_is_no_http_is_refused_and_the_connection_closed(client: httpx.Client, text: bytes) -> None:
    with connected(client) as connection:
        connection.sendall(text)
        connection.shutdown(socket.SHUT_WR)
        answer = read_all(connection)
    assert answer == b"" or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4"))
    assert is_served(client)


class Written(asyncio.Transport):
    """What reaches the socket."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes] = []
        self.is_closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.pieces.append(bytes(data))

    def close(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


HEAD = b"HTTP/1.1 200 OK\r\na: b\r\n\r\n"


GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"
WRITTEN = [
    ([HEAD, b"body"], [HEAD + b"body"]),
    ([HEAD, b""], [HEAD]),
    ([HEAD, b"1\r\n", b"2\r\n"], [HEAD + b"1\r\n", b"2\r\n"]),
    ([GO_ON, HEAD, b"x"], [GO_ON, HEAD + b"x"]),
    ([HEAD], [HEAD]),
    ([b"x\r\n\r\n"], [b"x\r\n\r\n"]),
]


@pytest.mark.parametrize(("written", "pieces"), WRITTEN)
def test_a_head_goes_out_with_its_body_and_nothing_is_held_back_for_good(
    written: list[bytes], pieces: list[bytes]
) -> None:
    below = Written()
    transport = _JoiningTransport(below)
    for piece in written:
        transport.write(piece)
    transport.close()
    assert below.pieces == pieces
    assert transport.is_closing()

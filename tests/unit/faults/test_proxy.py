"""The proxy passes messages whole, and treats answers as it is told: shown on a server that sends back what it gets."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from shardlog.errors import ConfigurationError
from shardlog.testing.faults import PRODUCE, Fault, FaultProxy, Kind
from shardlog.testing.services.errors import ServiceFailed

FETCH = 1
WITHIN_S = 10.0


class Client:
    """Asks with Kafka's head of a request: number, version, correlation id."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), WITHIN_S)

    def ask(self, number: int, correlation: int, text: bytes = b"") -> None:
        body = struct.pack(">hhi", number, 0, correlation) + text
        self.socket.sendall(struct.pack(">i", len(body)) + body)

    def answer(self) -> tuple[int, bytes]:
        """Correlation id and text of the next answer."""
        (length,) = struct.unpack(">i", self._exactly(4))
        body = self._exactly(length)
        return struct.unpack_from(">i", body)[0], body[4:]

    def has_nothing(self, proxy: FaultProxy) -> bool:
        """Whether no answer is there once another client was served after it."""
        other = Client(proxy.ports[0])
        other.ask(FETCH, 1)
        other.answer()
        other.socket.close()
        self.socket.setblocking(False)
        try:
            return not self.socket.recv(1)
        except BlockingIOError:
            return True
        finally:
            self.socket.settimeout(WITHIN_S)

    def _exactly(self, count: int) -> bytes:
        found = b""
        while len(found) < count:
            piece = self.socket.recv(count - len(found))
            if not piece:
                raise ConnectionResetError("closed")
            found += piece
        return found


def serve(listening: socket.socket) -> None:
    """Answer each request with its correlation id and text, until the socket is closed."""

    def answer(connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream:
            while len(head := stream.read(4)) == 4:
                body = stream.read(struct.unpack(">i", head)[0])
                connection.sendall(struct.pack(">i", len(body) - 4) + body[4:])

    def guarded(connection: socket.socket) -> None:
        with suppress(OSError):
            answer(connection)

    with suppress(OSError):
        while True:
            threading.Thread(target=guarded, args=(listening.accept()[0],), daemon=True).start()


@pytest.fixture
def proxy() -> Iterator[FaultProxy]:
    with socket.create_server(("127.0.0.1", 0)) as listening, FaultProxy(1) as proxy:
        threading.Thread(target=serve, args=(listening,), daemon=True).start()
        proxy.forward_to([f"127.0.0.1:{listening.getsockname()[1]}"])
        yield proxy
        listening.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def client(proxy: FaultProxy) -> Iterator[Client]:
    client = Client(proxy.ports[0])
    yield client
    client.socket.close()


def test_without_a_fault_every_message_passes_whole_and_in_order(client: Client) -> None:
    texts = [b"%d" % number * (number * 997) for number in range(60)]
    for number, text in enumerate(texts):
        client.ask(PRODUCE, number, text)
    assert [client.answer() for _ in texts] == list(enumerate(texts))


def test_answers_that_are_held_come_in_order_when_the_fault_ends(proxy: FaultProxy, client: Client) -> None:
    with proxy.during(Fault(kind=Kind.HOLD, requests=frozenset({PRODUCE}))):
        client.ask(PRODUCE, 1)
        client.ask(FETCH, 2)
        proxy.wait_until_treated(1, WITHIN_S)
        assert client.has_nothing(proxy)
    assert [client.answer()[0], client.answer()[0]] == [1, 2]


def test_an_answer_that_is_dropped_never_comes_and_the_next_one_does(proxy: FaultProxy, client: Client) -> None:
    with proxy.during(Fault(kind=Kind.DROP, requests=frozenset({PRODUCE}), answers_max=1)):
        client.ask(PRODUCE, 1)
        client.ask(PRODUCE, 2)
        assert client.answer()[0] == 2
        assert proxy.treated == 1


def test_an_answer_that_is_repeated_comes_twice(proxy: FaultProxy, client: Client) -> None:
    with proxy.during(Fault(kind=Kind.REPEAT, answers_max=1)):
        client.ask(PRODUCE, 1, b"one")
        client.ask(PRODUCE, 2)
        assert [client.answer(), client.answer(), client.answer()] == [(1, b"one"), (1, b"one"), (2, b"")]


def test_an_answer_that_is_delayed_comes_at_last_and_at_once_when_the_fault_ends(
    proxy: FaultProxy, client: Client
) -> None:
    with proxy.during(Fault(kind=Kind.DELAY, delay_ms=50)):
        client.ask(PRODUCE, 1)
        assert client.answer()[0] == 1
    with proxy.during(Fault(kind=Kind.DELAY, delay_ms=86_400_000)):
        client.ask(PRODUCE, 2)
        proxy.wait_until_treated(1, WITHIN_S)
    assert client.answer()[0] == 2


def test_in_silence_nothing_passes_either_way_and_afterwards_nothing_is_lost(proxy: FaultProxy, client: Client) -> None:
    with proxy.during(Fault(kind=Kind.SILENCE)):
        client.ask(PRODUCE, 1, b"x" * 100_000)
        fresh = Client(proxy.ports[0])
        fresh.ask(PRODUCE, 2)
        for one in (client, fresh):
            one.socket.settimeout(0.3)
            with pytest.raises(TimeoutError):
                one.answer()
            one.socket.settimeout(WITHIN_S)
    assert client.answer() == (1, b"x" * 100_000)
    assert fresh.answer() == (2, b"")
    fresh.socket.close()


def test_a_cut_resets_what_is_open_and_a_client_may_come_again(proxy: FaultProxy, client: Client) -> None:
    client.ask(PRODUCE, 1)
    client.answer()
    assert proxy.cut() == 1
    with pytest.raises(ConnectionResetError):
        client.answer()
    again = Client(proxy.ports[0])
    again.ask(PRODUCE, 2)
    assert again.answer()[0] == 2
    again.socket.close()


def test_where_no_broker_is_the_client_finds_its_connection_closed() -> None:
    with FaultProxy(1) as proxy:
        client = Client(proxy.ports[0])
        with pytest.raises(ConnectionResetError):
            client.answer()
        client.socket.close()
        with pytest.raises(ServiceFailed, match=r"2 address\(es\) for 1 port"):
            proxy.forward_to(["127.0.0.1:1", "127.0.0.1:2"])
        with pytest.raises(ServiceFailed, match="3 answers were not touched"):
            proxy.wait_until_treated(3, 0.01)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"kind": Kind.DELAY}, "delay_ms is 0"),
        ({"kind": Kind.HOLD, "delay_ms": 5}, "delay_ms is 5"),
        ({"kind": Kind.SILENCE, "answers_max": 1}, "silence swallows everything"),
    ],
)
def test_a_field_that_means_nothing_is_refused(fields: dict[str, object], why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        Fault(**fields)  # type: ignore[arg-type]  # as a caller might

"""uvicorn's HTTP protocol with what it lacks: bounds on connections and on heads, in bytes and in time, and one packet
an answer."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from msgspec.structs import replace
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from shardlog.gateway.problems import as_answer, problem
from shardlog.gateway.settings import GatewaySettings
from shardlog.model.answers import Problem


class HttpProtocol(HttpToolsProtocol):
    """One connection. settings: of the server's subclass. The parser below has no bounds of its own."""

    settings: GatewaySettings
    _joining: _JoiningTransport

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._is_in_head = False
        self._head_bytes = 0
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Write through a transport that joins heads to bodies; refuse a connection too many."""
        self._joining = _JoiningTransport(cast("asyncio.Transport", transport))  # uvloop's is no subclass
        super().connection_made(self._joining)
        if len(self.connections) > self.settings.connections_max:
            why = f"{self.settings.connections_max} connections are open (connections_max)"
            text = f"{why}: close some, or try again later; nothing was done"
            self._refuse(replace(problem(503, "unavailable", text), retry_after_ms=1_000))
        else:
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._head_has_come()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser; refuse a head that does not come to its end."""
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._is_in_head:
            self._head_bytes += len(data)
            most = self.settings.head_bytes_max
            if self._head_bytes > most:
                text = f"line and headers take more than {most} bytes (head_bytes_max): send shorter ones"
                self._refuse(problem(431, "head_too_large", text))
                return
        if self._is_in_head or self.cycle is None or self.cycle.response_complete:
            self._await_head()

    def send_400_response(self, msg: str) -> None:
        """What the parser does not take, as a problem like any other."""
        self._refuse(problem(400, "undecodable", "this is no HTTP request, or its line is longer than 64 KiB"))

    def on_message_begin(self) -> None:
        """A head begins."""
        self._is_in_head = True
        self._head_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """It has come to its end."""
        self._is_in_head = False
        self._head_has_come()
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """An answer to HEAD ends without a body."""
        self._joining.flush()
        super().on_response_complete()

    def _await_head(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.settings.receive_deadline_ms / 1000, self._head_is_late)

    def _head_has_come(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _head_is_late(self) -> None:
        self._deadline = None
        if self.transport.is_closing():
            return
        if self.cycle is not None and not self.cycle.response_complete:
            self._await_head()  # behind an answer that is still to come: that first
        elif not self._is_in_head:
            self.transport.close()
        else:
            text = f"no whole head of a request within {self.settings.receive_deadline_ms} ms (receive_deadline_ms)"
            self._refuse(problem(408, "request_timeout", f"{text}: nothing was done"))

    def _refuse(self, refusal: Problem) -> None:
        """Answer past the gateway, and close."""
        answer = as_answer(refusal)
        head = b"".join(b"%s: %s\r\n" % header for header in answer.headers)
        line = f"HTTP/1.1 {refusal.status} {refusal.title}\r\n".encode()
        self.transport.write(b"%s%sconnection: close\r\n\r\n%s" % (line, head, answer.body))
        self.transport.close()


def limited(settings: GatewaySettings) -> type[HttpProtocol]:
    """The protocol of a server with these limits, as uvicorn wants it: a class."""
    return type("LimitedHttpProtocol", (HttpProtocol,), {"settings": settings})


class _JoiningTransport(asyncio.Transport):
    """Holds the head of an answer until its body comes: a system call less, and one wake-up of the client.

    uvicorn writes them one by one. An interim answer (100) has no body and is written at once.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__()
        self._transport = transport
        self._head = b""
        self.is_closing = transport.is_closing  # type: ignore[method-assign]  # as is: they are called for each request
        self.pause_reading = transport.pause_reading  # type: ignore[method-assign]
        self.resume_reading = transport.resume_reading  # type: ignore[method-assign]

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Of the transport below."""
        return self._transport.get_extra_info(name, default)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write, or hold what is a head."""
        if self._head:
            data, self._head = self._head + bytes(data), b""
        elif data[-4:] == b"\r\n\r\n" and data[:9] == b"HTTP/1.1 " and data[9:12] != b"100":
            self._head = bytes(data)
            return
        self._transport.write(data)

    def flush(self) -> None:
        """Write what is held."""
        if self._head:
            self._transport.write(self._head)
            self._head = b""

    def close(self) -> None:
        """Write what is held, then close."""
        self.flush()
        self._transport.close()

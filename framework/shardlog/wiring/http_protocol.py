"""uvicorn's HTTP protocol with two things added: a bound on the head of a request, and one packet an answer."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from shardlog.gateway.problems import as_answer, problem

HEAD_BYTES_MAX = 32_768
"""Bytes of a request's line and headers that are waited for; the parser below has no bound of its own."""


class HttpProtocol(HttpToolsProtocol):
    """One connection."""

    _joining: _JoiningTransport

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._is_in_head = False
        self._head_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Write through a transport that joins heads to bodies."""
        self._joining = _JoiningTransport(cast("asyncio.Transport", transport))  # uvloop's is no subclass
        super().connection_made(self._joining)

    def data_received(self, data: bytes) -> None:
        """Feed the parser; refuse a head that does not come to its end."""
        super().data_received(data)
        if self._is_in_head and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES_MAX:
                self._refuse_head()

    def on_message_begin(self) -> None:
        """A head begins."""
        self._is_in_head = True
        self._head_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """It has come to its end."""
        self._is_in_head = False
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """An answer to HEAD ends without a body."""
        self._joining.flush()
        super().on_response_complete()

    def _refuse_head(self) -> None:
        text = f"line and headers take more than {HEAD_BYTES_MAX} bytes: send shorter ones"
        answer = as_answer(problem(431, "head_too_large", text))
        head = b"".join(b"%s: %s\r\n" % header for header in answer.headers)
        self.transport.write(
            b"HTTP/1.1 431 Request Header Fields Too Large\r\n%sconnection: close\r\n\r\n%s" % (head, answer.body)
        )
        self.transport.close()


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

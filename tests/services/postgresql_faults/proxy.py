"""A proxy between a worker and PostgreSQL that sees every message and may cut the connection before or behind one.

Of PostgreSQL's protocol it knows that a message is a type of one byte and a length of four, that a connection begins
with one that has no type, and that a request for encryption is answered by one byte.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from types import TracebackType
from typing import NamedTuple, TypeAlias

from shardlog.adapters.postgresql.connecting import PROJECTOR

LOOPBACK = "127.0.0.1"
ROWS = PROJECTOR.encode()
ENCRYPTION = (80877103, 80877104)
_LENGTH = struct.Struct(">i")
_RESET = struct.pack("ii", 1, 0)


class Message(NamedTuple):
    """One message. is_request: whether the worker sent it. type: as the protocol's letter. body: what follows.

    is_of_rows: whether its connection is one that rows are written by; leases have their own.
    """

    is_request: bool
    type: str
    body: bytes
    is_of_rows: bool

    @property
    def name(self) -> str:
        """For people: the direction, the type, and what it says where it is SQL or the end of a command."""
        parts = self.body.split(b"\0")
        said = parts[1 if self.type == "P" else 0] if self.type in "PQC" else b""
        return f"{'>' if self.is_request else '<'}{self.type} {said.decode(errors='replace')[:40]}".rstrip()


class Verdict(Enum):
    PASS = "pass"
    CUT_BEFORE = "cut before it"
    CUT_BEHIND = "cut behind it"
    """It arrives, and nothing after it."""


Judge: TypeAlias = Callable[[Message], Verdict]


class MessageProxy:
    """One port. judge: called for every message after a connection's beginning, from several threads."""

    def __init__(self, target: int, judge: Judge) -> None:
        self.cuts = 0
        self._target = target
        self._judge = judge
        self._server = socket.create_server((LOOPBACK, 0))
        self.port: int = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, name="postgresql-proxy", daemon=True)
        self._open: set[socket.socket] = set()

    def __enter__(self) -> MessageProxy:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.cut_all()
        self._thread.join(10)

    def cut_all(self) -> None:
        """Reset every connection."""
        for end in list(self._open):
            _reset(end)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            try:
                server = socket.create_connection((LOOPBACK, self._target), timeout=10)
            except OSError:
                _reset(client)
                client.close()
                continue
            server.settimeout(None)
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open |= {client, server}
            threading.Thread(target=self._serve, args=(client, server), daemon=True).start()

    def _serve(self, client: socket.socket, server: socket.socket) -> None:
        answers: threading.Thread | None = None
        try:
            with suppress(OSError, EOFError):
                is_of_rows = ROWS in self._begin(client, server)
                answers = threading.Thread(target=self._pump, args=(server, client, False, is_of_rows), daemon=True)
                answers.start()
                self._pump(client, server, True, is_of_rows)
            _end(server)  # it may still do what it was sent
            if answers is not None:
                answers.join()
        finally:
            for end in (client, server):
                self._open.discard(end)
                end.close()

    def _begin(self, client: socket.socket, server: socket.socket) -> bytes:
        """Returns what the client says of itself."""
        while True:
            length = _exactly(client, 4)
            body = _exactly(client, _LENGTH.unpack(length)[0] - 4)
            server.sendall(length + body)
            if _LENGTH.unpack_from(body)[0] not in ENCRYPTION:
                return body
            client.sendall(_exactly(server, 1))

    def _pump(self, source: socket.socket, sink: socket.socket, is_request: bool, is_of_rows: bool) -> None:
        with suppress(OSError, EOFError):
            while True:
                head = _exactly(source, 5)
                body = _exactly(source, _LENGTH.unpack_from(head, 1)[0] - 4)
                verdict = self._judge(Message(is_request, chr(head[0]), body, is_of_rows))
                if verdict is not Verdict.CUT_BEFORE:
                    sink.sendall(head + body)
                if verdict is not Verdict.PASS:
                    self.cuts += 1
                    break
        client = source if is_request else sink
        _reset(client)
        if not is_request:
            _end(source)


def _exactly(source: socket.socket, count: int) -> bytes:
    parts = bytearray()
    while len(parts) < count:
        got = source.recv(count - len(parts))
        if not got:
            raise EOFError
        parts += got
    return bytes(parts)


def _reset(end: socket.socket) -> None:
    with suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        end.shutdown(socket.SHUT_RDWR)


def _end(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_WR)

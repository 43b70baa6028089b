"""Answers as ASGI sends them: a body that is there, or rows as they are read."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from typing import NamedTuple

from litestar.types import Receive, Scope, Send

from shardlog.ports.reading import Found, ResultColumn, Standing
from shardlog.query.asking import Asking
from shardlog.query.descriptions import as_of
from shardlog.query.formats import MEDIA_TYPES, FormatName, Rows, RowWriter, encode, writer_of
from shardlog.query.problems import RequestRefused

CHUNK_ROWS = 1_000
HEADER_SHARDS_MAX = 256
"""Positions of more shards would make a head that clients refuse; they stand in the description of the projection."""
log = logging.getLogger("shardlog.query")


class Answer:
    """A whole answer."""

    def __init__(self, status: int, media_type: str, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.headers = {"content-type": media_type, "cache-control": "no-store", **(headers or {})}
        self.body = body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        await self._send_head(send, {**self.headers, "content-length": str(len(self.body))})
        await send({"type": "http.response.body", "body": self.body, "more_body": False})

    async def _send_head(self, send: Send, headers: Mapping[str, str]) -> None:
        raw = [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": self.status, "headers": raw})


class Streamed(NamedTuple):
    """Rows to be sent as they are read. what: they are, for people. first: the first ones, which are there."""

    asking: Asking
    what: str
    found: Found
    first: Rows
    made: RowWriter
    deadline_ms: int


class StreamedAnswer(Answer):
    """held: what is let go of at the end, however it comes. Where it comes too early, the connection is closed without
    the mark of the end, which clients notice."""

    def __init__(self, streamed: Streamed, media_type: str, headers: Mapping[str, str], held: AsyncExitStack) -> None:
        super().__init__(200, media_type, b"", headers)
        self._streamed = streamed
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the rows until they end, the client leaves, or the time is up."""
        what, deadline_ms = self._streamed.what, self._streamed.deadline_ms
        sending = asyncio.ensure_future(self._send_all(send))
        leaving = asyncio.ensure_future(_left(receive))
        try:
            done, _ = await asyncio.wait(
                (sending, leaving), timeout=deadline_ms / 1000, return_when=asyncio.FIRST_COMPLETED
            )
            if sending in done:
                await sending
            elif not done:
                log.warning("%s: not fetched within %d ms (export_deadline_ms), and cut off", what, deadline_ms)
        except RequestRefused as refused:
            log.warning("%s: cut off: %s", what, refused)
        finally:
            for task in (sending, leaving):
                task.cancel()
            with suppress(asyncio.CancelledError, RequestRefused):
                await sending
            await asyncio.shield(self._held.aclose())

    async def _send_all(self, send: Send) -> None:
        asking, what, found, rows, made, _ = self._streamed
        await self._send_head(send, self.headers)
        await _send_part(send, made.begin())
        while rows:
            await _send_part(send, await asking.call(what, made.rows, rows))
            rows = await asking.call(what, found.read, CHUNK_ROWS)
        await send({"type": "http.response.body", "body": made.end(), "more_body": False})


async def _send_part(send: Send, part: bytes) -> None:
    if part:
        await send({"type": "http.response.body", "body": part, "more_body": True})


async def _left(receive: Receive) -> None:
    """Return once the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass


def as_of_header(standings: Mapping[str, Standing]) -> dict[str, str]:
    """The tokens of an answer's moment, where it is of one projection and they are not too many."""
    tokens = [token for standing in standings.values() for token in as_of(standing).tokens.values()]
    if len(standings) != 1 or not tokens or len(tokens) > HEADER_SHARDS_MAX:
        return {}
    return {"shardlog-as-of": ", ".join(tokens)}


def json_answer(value: object, headers: Mapping[str, str] | None = None) -> Answer:
    """A struct as JSON."""
    return Answer(200, MEDIA_TYPES["json"], encode(value), headers)


def writer(name: FormatName) -> Callable[[Sequence[ResultColumn]], RowWriter]:
    """What writes this format. Raises RequestRefused where it cannot be had here."""
    try:
        return writer_of(name)
    except ModuleNotFoundError as error:
        raise RequestRefused(
            406, "not_acceptable", f"this server has no {error.name}, so it cannot write {name}: ask for another format"
        ) from None

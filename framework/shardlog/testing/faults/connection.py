"""One client's connection through a proxy: two streams of messages, each passed on whole."""

from __future__ import annotations

import asyncio
import struct
from contextlib import suppress
from typing import Protocol, TypeAlias

Streams: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]
_LENGTH = struct.Struct(">i")
_REQUEST = struct.Struct(">hhi")
_BROKEN = (OSError, asyncio.IncompleteReadError)
UNKNOWN = -1
"""The number of a request that nobody has seen: of an answer to none."""


class Treatment(Protocol):
    """What happens to messages."""

    async def request_may_pass(self) -> None:
        """Return once a request may go on."""

    async def copies_of_answer(self, request: int) -> int:
        """Return once an answer may go on, with how many of it."""


class Connection:
    """From the client to the broker and back, until either closes or it is aborted."""

    def __init__(self, client: Streams, broker: Streams, treatment: Treatment) -> None:
        self._client = client
        self._broker = broker
        self._treatment = treatment
        self._asked: dict[int, int] = {}

    async def run(self) -> None:
        """Pass messages on; both sides are closed when this returns."""
        pumps = [asyncio.create_task(self._requests()), asyncio.create_task(self._answers())]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.abort()
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    def abort(self) -> None:
        """Reset both sides."""
        for _, writer in (self._client, self._broker):
            writer.transport.abort()

    async def _requests(self) -> None:
        reader, writer = self._client[0], self._broker[1]
        with suppress(*_BROKEN):
            while True:
                message = await _message(reader)
                if len(message) >= _REQUEST.size:
                    number, _, correlation = _REQUEST.unpack_from(message)
                    self._asked[correlation] = number
                await self._treatment.request_may_pass()
                writer.write(_LENGTH.pack(len(message)) + message)
                await writer.drain()

    async def _answers(self) -> None:
        reader, writer = self._broker[0], self._client[1]
        with suppress(*_BROKEN):
            while True:
                message = await _message(reader)
                correlation = _LENGTH.unpack_from(message)[0] if len(message) >= _LENGTH.size else UNKNOWN
                copies = await self._treatment.copies_of_answer(self._asked.pop(correlation, UNKNOWN))
                writer.write((_LENGTH.pack(len(message)) + message) * copies)
                await writer.drain()


async def _message(reader: asyncio.StreamReader) -> bytes:
    (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    return await reader.readexactly(length)

"""`GET /v1/streams/{category}/{id}`: what a stream stands at, acknowledged state only."""

from __future__ import annotations

import asyncio

from starlette.types import Receive, Scope, Send

from shardlog.executor.requests import Found, Read
from shardlog.executor.sinks import LoopSink
from shardlog.gateway.answers import of_read, respond
from shardlog.gateway.engine import Engine
from shardlog.model.outcomes import CommandUnavailable


class StreamRoute:
    """Asks the shard and answers. answer_ms: how long that may take."""

    def __init__(self, engine: Engine, sink: LoopSink, answer_ms: int) -> None:
        self._engine = engine
        self._sink = sink
        self._answer_ms = answer_ms

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        category, id = scope["path_params"]["category"], scope["path_params"]["id"]
        future: asyncio.Future[Found] = asyncio.get_running_loop().create_future()
        self._engine.submit(Read(category, id, self._sink, future))
        found: Found
        try:
            async with asyncio.timeout(self._answer_ms / 1000):
                found = await future
        except TimeoutError:
            found = CommandUnavailable("unavailable", f"the shard gave no answer within {self._answer_ms} ms", 0)
        await respond(send, of_read(category, id, found))

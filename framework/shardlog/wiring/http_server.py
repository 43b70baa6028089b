"""An embedded engine behind HTTP: the gateway on uvicorn, in an event loop of the caller's."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Collection, Iterator
from typing import Any

import uvicorn

from shardlog.executor.limits import Limits
from shardlog.gateway.app import Gateway
from shardlog.gateway.settings import GatewaySettings
from shardlog.wiring.edge import EmbeddedShards, EmbeddedTables
from shardlog.wiring.embedded import Embedded
from shardlog.wiring.exposing import metrics_answer
from shardlog.wiring.http_protocol import limited

DRAIN_DEADLINE_MS = 30_000
GATEWAY = GatewaySettings()
BACKLOG = 1_024
"""Connections that wait to be accepted."""


class HttpServer:
    """One server. To be made and run inside an event loop.

    hosts: as of Gateway. drain_deadline_ms: how long requests that are under way may take once it is told to end.
    settings: of their limits; where it listens is the caller's. has_metrics: whether `/metrics` is served.
    """

    def __init__(
        self,
        engine: Embedded,
        limits: Limits,
        hosts: Collection[str] | None,
        drain_deadline_ms: int = DRAIN_DEADLINE_MS,
        settings: GatewaySettings = GATEWAY,
        *,
        has_metrics: bool = True,
    ) -> None:
        self._tables = EmbeddedTables(engine) if engine.application.projections else None
        self._gateway = Gateway(
            EmbeddedShards(engine),
            self._tables,
            limits,
            hosts,
            settings,
            metrics_answer(engine.figures) if has_metrics else None,
        )
        self._server = UvicornServer(self._gateway, drain_deadline_ms, settings)

    async def run(self, listener: socket.socket, announce: Callable[[], None]) -> None:
        """Serve until `end`. announce: called once requests are taken."""
        self._server.announce = announce
        try:
            await self._server.serve(sockets=[listener])
        finally:
            if self._tables is not None:
                self._tables.close()

    def end(self) -> None:
        """Take no more; finish what was taken, then let `run` return. Called in the event loop."""
        self._gateway.drain()
        self._server.should_exit = True


class UvicornServer(uvicorn.Server):
    """uvicorn without its signal handling, which would end the server alone, and without its own log format.

    announce: called once it listens; to be set before `serve`. drain_deadline_ms: as of HttpServer.
    """

    announce: Callable[[], None]

    def __init__(self, application: Any, drain_deadline_ms: int, settings: GatewaySettings) -> None:
        super().__init__(
            uvicorn.Config(
                application,
                http=limited(settings),
                ws="none",
                lifespan="off",
                access_log=False,
                log_config=None,
                proxy_headers=False,
                server_header=False,
                backlog=BACKLOG,
                timeout_keep_alive=settings.keep_alive_ms // 1000,
                timeout_graceful_shutdown=-(-drain_deadline_ms // 1000),
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        self.announce()


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's, where there is one for this platform; asyncio's own otherwise."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop

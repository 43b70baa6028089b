"""The gateway as an ASGI application: routes, and one form for all that goes wrong."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from shardlog.executor.limits import Limits
from shardlog.executor.sinks import LoopSink
from shardlog.gateway.answers import respond
from shardlog.gateway.batch import BatchRoute
from shardlog.gateway.commands import CommandRoute
from shardlog.gateway.engine import Engine, Tables
from shardlog.gateway.health import HealthRoutes
from shardlog.gateway.problems import Answer, RequestRefused, as_answer, problem
from shardlog.gateway.projections import ProjectionRoutes
from shardlog.gateway.rate import RequestRate
from shardlog.gateway.reads import StreamRoute
from shardlog.gateway.settings import GatewaySettings

DEFAULTS = GatewaySettings()
UNCOUNTED = ("/health/", "/metrics")
"""Paths that are answered whatever the rate is: those who watch need them most when there is too much of all else."""
log = logging.getLogger("shardlog.gateway")


class Gateway:
    """Serves an engine over HTTP, in the event loop that runs when it is made.

    tables: None where no projections are kept. hosts: values of the `host` header that are served, without port; None
    for any. A server that only listens on this host names its own, so that a page in a browser cannot reach it under a
    name of its own (DNS rebinding). settings: of their limits; health and metrics are answered beyond the rate.
    metrics: what `GET /metrics` answers; None where there is no such route.
    """

    def __init__(
        self,
        engine: Engine,
        tables: Tables | None,
        limits: Limits,
        hosts: Collection[str] | None = None,
        settings: GatewaySettings = DEFAULTS,
        metrics: Callable[[], Answer] | None = None,
    ) -> None:
        sink = LoopSink(asyncio.get_running_loop())
        self._hosts = hosts
        self._known_hosts: set[bytes] = set()
        self._health = HealthRoutes(engine)
        self._rate = RequestRate(settings.requests_per_s_max) if settings.requests_per_s_max else None
        self._batches = BatchRoute(engine, limits, settings)
        self._command = CommandRoute(engine, sink, limits.command_bytes_max, settings)
        routes = [
            Route("/v1/streams/{category}/{id}/{command}", self._command, methods=["POST"]),
            Route(
                "/v1/streams/{category}/{id}", StreamRoute(engine, sink, settings.answer_deadline_ms), methods=["GET"]
            ),
            Route("/v1/commands", self._batches, methods=["POST"]),
            Route("/health/live", self._health.live),
            Route("/health/ready", self._health.ready),
        ]
        if metrics is not None:
            routes.append(Route("/metrics", _metrics_route(metrics)))
        if tables is not None:
            projections = ProjectionRoutes(tables)
            routes += [
                Route("/v1/projections", projections.all),
                Route("/v1/projections/{name}", projections.one),
            ]
        handlers = {RequestRefused: _refused, HTTPException: _unrouted, Exception: _failed}
        self._app = Starlette(routes=routes, exception_handlers=handlers)
        self._app.router.redirect_slashes = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        host = next((value for name, value in scope["headers"] if name == b"host"), b"")
        if self._hosts is not None and host not in self._known_hosts and not self._is_known(host):
            text = f"the host {host.decode('latin-1')[:100]!r} is not served here: ask for one of {sorted(self._hosts)}"
            await respond(send, as_answer(problem(421, "unknown_host", text)))
            return
        if self._rate is not None and not scope["path"].startswith(UNCOUNTED):
            refusal = await self._rate.take()
            if refusal is not None:
                await respond(send, as_answer(refusal))
                return
        if scope["method"] == "POST" and (address := _address(scope["path"])) is not None:
            scope["path_params"] = address
            await self._serve_command(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _serve_command(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The short way of single commands, past the layers of the framework: they are nearly all there is."""
        try:
            await self._command(scope, receive, send)
        except RequestRefused as refused:
            await respond(send, as_answer(refused.problem))
        except Exception:
            log.exception("a command to %r failed in the gateway", scope["path"])  # quoted: it may hold line ends
            await respond(send, as_answer(_FAULT))

    def drain(self) -> None:
        """The process is going to end: readiness says so, and batches take no more lines."""
        self._health.is_draining = True
        self._batches.drain()

    def _is_known(self, host: bytes) -> bool:
        name = host.decode("latin-1")
        if not name.endswith("]"):
            name = name.rpartition(":")[0] or name
        if self._hosts is None or name.strip("[]").lower() not in self._hosts:
            return False
        if len(self._known_hosts) < len(self._hosts) * 2:
            self._known_hosts.add(host)
        return True


_FAULT = problem(500, "internal_error", "the gateway failed; its log has the traceback")


def _address(path: str) -> dict[str, str] | None:
    """Category, id and command of a path that has the form of a single command's."""
    parts = path.split("/")
    if len(parts) != 6 or parts[:3] != ["", "v1", "streams"] or not (parts[3] and parts[4] and parts[5]):
        return None
    return {"category": parts[3], "id": parts[4], "command": parts[5]}


def _metrics_route(metrics: Callable[[], Answer]) -> Callable[[Request], Response]:
    """A plain function: it is called beside the event loop."""

    def respond_with_metrics(request: Request) -> Response:
        return _response(metrics())

    return respond_with_metrics


def _response(answer: Answer) -> Response:
    response = Response(answer.body, answer.status)
    response.raw_headers = answer.headers
    return response


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestRefused)
    return _response(as_answer(error.problem))


async def _unrouted(request: Request, error: Exception) -> Response:
    """No route, or one that is asked by another method."""
    assert isinstance(error, HTTPException)
    status = error.status_code
    code = HTTPStatus(status).phrase.lower().replace(" ", "_")
    text = f"there is no {request.method} {request.url.path[:200]}: see the routes in the documentation"
    return _response(as_answer(problem(status, code, text), error.headers))


async def _failed(request: Request, error: Exception) -> Response:
    """A fault of the gateway's own; the server logs it with its traceback."""
    return _response(as_answer(_FAULT))

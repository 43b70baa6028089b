"""The query API as an ASGI application: routes, and one form for all that goes wrong."""

from __future__ import annotations

import logging
from collections.abc import Collection
from http import HTTPStatus
from typing import Any

from litestar import Litestar, Request, Response, get
from litestar.exceptions import HTTPException
from litestar.types import ASGIApp, Receive, Scope, Send

from shardlog.model.answers import Problem, problem
from shardlog.query.answering import Answer, json_answer
from shardlog.query.openapi import document
from shardlog.query.problems import PROBLEM_TYPE, RequestRefused, body_and_headers
from shardlog.query.routes import Asked, QueryRoutes, Sources
from shardlog.query.settings import QuerySettings

log = logging.getLogger("shardlog.query")


class QueryApi:
    """Serves a reader over HTTP, in the event loop that runs when it is made.

    hosts: values of the `host` header that are served, without port; None for any.
    """

    def __init__(self, sources: Sources, settings: QuerySettings, hosts: Collection[str] | None = None) -> None:
        self._hosts = hosts
        self._routes = QueryRoutes(sources, settings)
        self._app: ASGIApp = _application(self._routes, document(sources, settings))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if self._hosts is not None and not self._is_known(scope):
            text = f"this host is not served here: ask for one of {sorted(self._hosts)}"
            await _problem_answer(problem(421, "unknown_host", text))(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def close(self) -> None:
        """End its threads."""
        self._routes.close()

    def _is_known(self, scope: Scope) -> bool:
        """A page in a browser cannot reach a server on this host under a name of its own (DNS rebinding)."""
        host = next((value for name, value in scope["headers"] if name == b"host"), b"").decode("latin-1")
        if not host.endswith("]"):
            host = host.rpartition(":")[0] or host
        return self._hosts is not None and host.strip("[]").lower() in self._hosts


def _application(routes: QueryRoutes, openapi: dict[str, Any]) -> ASGIApp:
    @get("/v1/projections")
    async def projections(request: Request) -> Answer:  # type: ignore[type-arg]  # Litestar reads the annotations
        return await routes.projections(request)

    @get("/v1/projections/{name:str}")
    async def projection(request: Request, name: str) -> Answer:  # type: ignore[type-arg]
        return await routes.projection(request, name)

    @get("/v1/projections/{name:str}/{table:str}")
    async def rows(request: Request, name: str, table: str) -> Answer:  # type: ignore[type-arg]
        return await routes.rows(request, name, table)

    @get("/v1/queries")
    async def queries(request: Request) -> Answer:  # type: ignore[type-arg]
        return await routes.queries(request)

    @get("/v1/queries/{name:str}")
    async def query(request: Request, name: str) -> Answer:  # type: ignore[type-arg]
        return await routes.query(request, name)

    @get("/v1/openapi.json")
    async def described() -> Answer:
        return json_answer(openapi)

    @get("/health/live")
    async def live() -> Answer:
        return json_answer({"status": "live"})

    @get("/health/ready")
    async def ready(request: Request) -> Answer:  # type: ignore[type-arg]
        return await routes.ready(request)

    return Litestar(
        [projections, projection, rows, queries, query, described, live, ready],
        exception_handlers={RequestRefused: _refused, HTTPException: _unrouted, Exception: _failed},
        openapi_config=None,
        logging_config=None,
        debug=False,
    )


def _problem_answer(refusal: Problem) -> Answer:
    body, headers = body_and_headers(refusal)
    return Answer(refusal.status, PROBLEM_TYPE, body, headers)


def _response(refusal: Problem, headers: dict[str, str] | None = None) -> Response[bytes]:
    body, more = body_and_headers(refusal)
    return Response(
        body,
        status_code=refusal.status,
        media_type=PROBLEM_TYPE,
        headers={"cache-control": "no-store", **more, **(headers or {})},
    )


def _refused(_request: Asked, error: RequestRefused) -> Response[bytes]:
    return _response(error.problem)


def _unrouted(request: Asked, error: HTTPException) -> Response[bytes]:
    """No route, or one that is asked by another method."""
    status = error.status_code
    if status >= 500:
        return _failed(request, error)
    code = HTTPStatus(status).phrase.lower().replace(" ", "_")
    text = f"there is no {request.method} {request.url.path[:200]}: see /v1/openapi.json for the routes"
    return _response(problem(status, code, text), {"allow": "GET"} if status == 405 else {})


def _failed(request: Asked, error: Exception) -> Response[bytes]:
    """A fault of the server's own."""
    log.error("a request for %r failed", request.url.path[:200], exc_info=error)
    return _response(problem(500, "internal_error", "the server failed; its log has the traceback"))

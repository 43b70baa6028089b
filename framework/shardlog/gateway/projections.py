"""`GET /v1/projections` and `/v1/projections/{name}`: how far the tables are, and their first rows."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TypeVar

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from shardlog.codec.json import encode
from shardlog.errors import InvalidToken
from shardlog.gateway.engine import ProjectionStatus, Tables
from shardlog.gateway.problems import RequestRefused
from shardlog.model.recorded import Position

ROWS_DEFAULT = 100
ROWS_MAX = 1_000
WAIT_DEFAULT_MS = 5_000
WAIT_MAX_MS = 30_000
LOOK_SECONDS = 0.01
N = TypeVar("N", bound=int)


class ProjectionRoutes:
    """Both routes."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def all(self, request: Request) -> Response:
        """Every projection: version, tables, lag by shard, why it is stopped, how many dead letters."""
        _refuse_unknown(request.query_params, ())
        return _json({"projections": await asyncio.to_thread(self._tables.status)})

    async def one(self, request: Request) -> Response:
        """One projection, and the first rows of a table; behind `after` where that is given."""
        query = request.query_params
        _refuse_unknown(query, ("table", "limit", "after", "wait_ms"))
        status = await self._status(request.path_params["name"])
        limit = _number(query, "limit", ROWS_DEFAULT, ROWS_MAX)
        table = query.get("table", status.tables[0] if status.tables else "")
        if table not in status.tables:
            known = ", ".join(status.tables)
            raise RequestRefused(
                404, "not_found", f"projection {status.name!r} has no table {table!r}; it has: {known}"
            )
        positions = [self._position(token) for token in query.getlist("after")]
        if positions:
            await self._reach(status.name, positions, _number(query, "wait_ms", WAIT_DEFAULT_MS, WAIT_MAX_MS))
        rows = await asyncio.to_thread(self._tables.rows, status.name, table, limit)
        status = await self._status(status.name)
        return _json({"projection": status, "table": table, "rows": rows})

    async def _status(self, name: str) -> ProjectionStatus:
        statuses = await asyncio.to_thread(self._tables.status)
        for status in statuses:
            if status.name == name:
                return status
        known = ", ".join(status.name for status in statuses) or "none"
        raise RequestRefused(404, "not_found", f"there is no projection {name!r}; there are: {known}")

    def _position(self, token: str) -> Position:
        try:
            position = Position.parse(token)
        except InvalidToken as error:
            raise RequestRefused(400, "invalid_token", str(error)) from None
        if position.journal != self._tables.journal:
            raise RequestRefused(
                400, "invalid_token", f"the token is of journal {position.journal}, and this is {self._tables.journal}"
            )
        return position

    async def _reach(self, name: str, positions: Sequence[Position], wait_ms: int) -> None:
        """Wait until the projection has read these positions. Raises RequestRefused (503) after `wait_ms`, or where it
        is stopped."""
        try:
            async with asyncio.timeout(wait_ms / 1000):
                while not await self._has_reached(name, positions):
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            is_paused = await asyncio.to_thread(self._tables.is_paused, name)
            next = ", and is paused: `shardlog projections resume` lets it go on" if is_paused else None
            why = f"projection {name!r} has not reached the token within {wait_ms} ms"
            raise RequestRefused(503, "unavailable", why + (next or ": ask again, or look at its lag")) from None

    async def _has_reached(self, name: str, positions: Sequence[Position]) -> bool:
        read = await asyncio.to_thread(self._tables.positions, name)
        if all(read.get(position.shard, 0) > position.offset for position in positions):
            return True
        status = await self._status(name)
        if status.stopped is not None:
            raise RequestRefused(503, "unavailable", f"projection {name!r} is stopped: {status.stopped}")
        return False


def _number(query: QueryParams, name: str, default: int, most: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and 0 < int(text) <= most):
        raise RequestRefused(400, "invalid_query", f"{name}={text[:40]!r}, and must be from 1 to {most}")
    return int(text)


def _refuse_unknown(query: QueryParams, known: Sequence[str]) -> None:
    for name in query:
        if name not in known:
            there = ", ".join(known) or "none"
            raise RequestRefused(400, "invalid_query", f"there is no parameter {name[:40]!r}; there are: {there}")


def _json(value: object) -> Response:
    return Response(encode(value), media_type="application/json")

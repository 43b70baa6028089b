"""The routes: projections, their rows, named queries."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import urlencode

from litestar import Request
from litestar.datastructures import State

from shardlog.model.application import Application
from shardlog.model.messages import Row
from shardlog.model.names import closest
from shardlog.model.projection import Projection
from shardlog.model.rows import table_name
from shardlog.ports.reading import Condition, Found, NamedQuery, ProjectionReader, Selection
from shardlog.ports.rows import table_shape
from shardlog.query import descriptions
from shardlog.query.answering import CHUNK_ROWS, Answer, Streamed, StreamedAnswer, as_of_header, json_answer, writer
from shardlog.query.asking import Asking
from shardlog.query.cursors import Unheld, cursor_of, filled
from shardlog.query.formats import FORMATS, MEDIA_TYPES, FormatName, as_objects, inferred
from shardlog.query.journal_ends import JournalEnds
from shardlog.query.named import values_of
from shardlog.query.problems import RequestRefused, invalid
from shardlog.query.selections import Limits, Parameters, number, parameters_of, selection_of, shown, single, unknown
from shardlog.query.settings import QuerySettings

Asked: TypeAlias = "Request[Any, Any, State]"
WAIT_DEFAULT_MS = 5_000
TOKENS_MAX = 100
LINK_CHARACTERS_MAX = 4_000
"""A longer address of the next page is left out: the cursor stands in a header of its own."""


class Sources(NamedTuple):
    """What is served: projections, the queries beside them, and where both are read."""

    application: Application
    queries: Mapping[str, NamedQuery]
    reader: ProjectionReader
    ends: JournalEnds


class QueryRoutes:
    """Handlers of all routes, in the event loop that runs when they are made."""

    def __init__(self, sources: Sources, settings: QuerySettings) -> None:
        self._sources = sources
        self._settings = settings
        projections = sources.application.projections
        self._projections: Mapping[str, Projection] = {name: projections[name] for name in sorted(projections)}
        self._asking = Asking(sources.reader, tuple(self._projections.values()), settings.queries_max)

    # -- what there is -------------------------------------------------------------------------------------------------
    async def projections(self, request: Asked) -> Answer:
        """Every projection, with how far it is."""
        _refuse_parameters(request)
        standings = await self._asking.standings()
        ends = self._sources.ends
        summaries = [
            await self._asking.call("the journal", descriptions.summary, projection, standings.get(name), ends)
            for name, projection in self._projections.items()
        ]
        return json_answer(descriptions.ProjectionList(projections=tuple(summaries)))

    async def projection(self, request: Asked, name: str) -> Answer:
        """One projection with its tables."""
        _refuse_parameters(request)
        projection = self._projection(name)
        standing = (await self._asking.standings()).get(name)
        ends = self._sources.ends
        summary = await self._asking.call("the journal", descriptions.summary, projection, standing, ends)
        answer = descriptions.ProjectionDescription(projection=summary, tables=descriptions.tables(projection))
        return json_answer(answer, {} if standing is None else as_of_header({name: standing}))

    async def queries(self, request: Asked) -> Answer:
        """Every named query, with its parameters."""
        _refuse_parameters(request)
        found = tuple(map(descriptions.query_description, self._sources.queries.values()))
        return json_answer(descriptions.QueryList(queries=found))

    async def ready(self, request: Asked) -> Answer:
        """Whether the tables can be read."""
        await self._asking.standings()
        return json_answer({"status": "ready"})

    # -- rows ----------------------------------------------------------------------------------------------------------
    async def rows(self, request: Asked, name: str, table: str) -> Answer:
        """Rows of a table: filtered, sorted, a page of them."""
        projection = self._projection(name)
        row = _table(projection, table)
        parameters = parameters_of(request.scope["query_string"])
        form = _format(request, parameters)
        selection = selection_of(projection, row, parameters, self._limits(form))
        made = None if form == "json" else writer(form)
        what = f"table {table!r}"
        await self._reach([name], parameters)
        async with AsyncExitStack() as held:
            await held.enter_async_context(self._asking.slot())
            selection = await self._placed(what, selection)
            found = await self._asking.call(what, self._sources.reader.select, selection)
            held.push_async_callback(self._asking.call, what, found.close)
            cursor = None if found.last is None else cursor_of(table_shape(row), selection.orders, found.last)
            headers = as_of_header(found.standings)
            if cursor is not None:
                headers |= {"shardlog-next": cursor, **_link(_behind(request, parameters, cursor))}
            if made is None:
                return json_answer(await self._page(what, found, (name, table), cursor), headers)
            first = await self._asking.call(what, found.read, CHUNK_ROWS)
            streamed = Streamed(
                self._asking, what, found, first, made(found.columns), self._settings.export_deadline_ms
            )
            return StreamedAnswer(streamed, MEDIA_TYPES[form], headers, held.pop_all())

    async def _placed(self, what: str, selection: Selection) -> Selection:
        """The selection with what its cursor had no room for, read from the row that the page ended with."""
        place, orders = selection.behind or (), selection.orders
        missing = tuple(order.column for order, value in zip(orders, place, strict=False) if isinstance(value, Unheld))
        if not missing:
            return selection
        keys = set(table_shape(selection.row).keys)
        is_it = [Condition(o.column, "eq", v) for o, v in zip(orders, place, strict=True) if o.column in keys]
        by_key = selection._replace(columns=missing, conditions=is_it, behind=None, limit=1)
        found = await self._asking.call(what, self._sources.reader.select, by_key)
        try:
            rows = await self._asking.call(what, found.read, 1)
        finally:
            await asyncio.shield(self._asking.call(what, found.close))
        return selection._replace(behind=filled(place, orders, rows[0] if rows else None))

    async def _page(
        self, what: str, found: Found, place: tuple[str, str], cursor: str | None
    ) -> descriptions.RowsAnswer:
        """All rows of a page. place: projection and table."""
        rows: list[tuple[object, ...]] = []
        while more := await self._asking.call(what, found.read, CHUNK_ROWS):
            rows.extend(more)
        return descriptions.RowsAnswer(
            projection=place[0],
            table=place[1],
            as_of=descriptions.as_of(found.standings[place[0]]),
            rows=as_objects(found.columns, rows),
            next=cursor,
        )

    def _limits(self, form: FormatName) -> Limits:
        settings = self._settings
        if form == "json":
            return Limits(settings.page_rows, settings.rows_max)
        return Limits(settings.export_rows_max, settings.export_rows_max)

    async def query(self, request: Asked, name: str) -> Answer:
        """What a named query returns."""
        query = self._sources.queries.get(name)
        if query is None:
            raise RequestRefused(404, "not_found", f"named queries: {unknown(name, tuple(self._sources.queries))}")
        parameters = parameters_of(request.scope["query_string"])
        form = _format(request, parameters)
        values = values_of(query, parameters)
        made = None if form == "json" else writer(form)
        what = f"query {name!r}"
        await self._reach(tuple(self._projections), parameters)
        async with self._asking.slot():
            reader, projections = self._sources.reader, tuple(self._projections.values())
            found = await self._asking.call(what, reader.run, query, values, projections)
            rows = await self._bounded(what, found)
        columns, rows = inferred(found.columns, rows)
        if made is None:
            as_of = {projection: descriptions.as_of(standing) for projection, standing in found.standings.items()}
            return json_answer(descriptions.ResultAnswer(query=name, as_of=as_of, rows=as_objects(columns, rows)))
        written = made(columns)
        body = written.begin() + written.rows(rows) + written.end()
        return Answer(200, MEDIA_TYPES[form], body, as_of_header(found.standings))

    async def _bounded(self, what: str, found: Found) -> Sequence[tuple[object, ...]]:
        """All rows. Raises RequestRefused where they are more than may be: half an answer would look like a whole."""
        most = self._settings.rows_max
        rows: list[tuple[object, ...]] = []
        try:
            while len(rows) <= most and (more := await self._asking.call(what, found.read, most + 1 - len(rows))):
                rows.extend(more)
        finally:
            await asyncio.shield(self._asking.call(what, found.close))
        if len(rows) > most:
            raise RequestRefused(
                400, "too_many_rows", f"{what} returns more than {most} rows (rows_max): ask for less by its parameters"
            )
        return rows

    async def _reach(self, names: Sequence[str], parameters: Parameters) -> None:
        tokens = parameters.get("after", ())
        most = self._settings.wait_ms_max
        wait_ms = number(parameters, "wait_ms", WAIT_DEFAULT_MS, 0, most)
        if len(tokens) > TOKENS_MAX:
            raise invalid(f"after is given {len(tokens)} times, and may be {TOKENS_MAX} times, once a shard")
        if tokens:
            await self._asking.reach(names, tokens, wait_ms)

    def _projection(self, name: str) -> Projection:
        found = self._projections.get(name)
        if found is None:
            raise RequestRefused(404, "not_found", f"projections: {unknown(name, tuple(self._projections))}")
        return found

    def close(self) -> None:
        """End the threads."""
        self._asking.close()


def _table(projection: Projection, name: str) -> type[Row]:
    rows = {table_name(row): row for row in projection.rows}
    if name not in rows:
        raise RequestRefused(404, "not_found", f"tables of {projection.name!r}: {unknown(name, tuple(rows))}")
    return rows[name]


def _format(request: Asked, parameters: Parameters) -> FormatName:
    """What `format` names, else what `Accept` likes best. Raises RequestRefused."""
    named = single(parameters, "format")
    if named is not None:
        if named not in FORMATS:
            raise invalid(
                f"format={shown(named)}{closest(named[:20], FORMATS)}, and must be one of {', '.join(FORMATS)}"
            )
        return named
    best = request.accept.best_match(list(MEDIA_TYPES.values()), MEDIA_TYPES["json"] if not _accepts(request) else None)
    if best is None:
        raise RequestRefused(
            406, "not_acceptable", f"accept names none of {', '.join(MEDIA_TYPES.values())}: ask for one of them"
        )
    return next(name for name, media_type in MEDIA_TYPES.items() if media_type == best)


def _accepts(request: Asked) -> bool:
    return bool(request.headers.get("accept", "").strip())


def _refuse_parameters(request: Asked) -> None:
    for name in parameters_of(request.scope["query_string"]):
        raise invalid(unknown(name, ()))


def _link(address: str) -> dict[str, str]:
    return {"link": f'<{address}>; rel="next"'} if len(address) <= LINK_CHARACTERS_MAX else {}


def _behind(request: Asked, parameters: Parameters, cursor: str) -> str:
    """The address of the next page: the same question, without waiting again."""
    left_out = ("cursor", "after", "wait_ms")
    pairs = [(name, value) for name, values in parameters.items() if name not in left_out for value in values]
    return f"{request.url.path}?{urlencode([*pairs, ('cursor', cursor)])}"

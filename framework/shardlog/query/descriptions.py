"""What is said of projections, their tables and named queries: frozen structs, which are JSON and schema alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from shardlog.model.projection import Projection
from shardlog.model.recorded import Position
from shardlog.model.rows import table_name
from shardlog.ports.reading import NamedQuery, Operator, QueryParameter, ReadTo, Standing
from shardlog.ports.rows import Column, Kind, table_shape
from shardlog.query.journal_ends import JournalEnds
from shardlog.query.selections import operators_of
from shardlog.query.values import text_of


class ColumnDescription(msgspec.Struct, frozen=True, kw_only=True):
    """A column. filters: what it may be compared by, as in `name.gte`; `eq` is `name` alone."""

    name: str
    kind: Kind
    may_be_null: bool
    is_key: bool
    is_indexed: bool
    filters: tuple[Operator, ...]
    comment: str | None


class TableDescription(msgspec.Struct, frozen=True, kw_only=True):
    """A table of a projection."""

    name: str
    comment: str | None
    columns: tuple[ColumnDescription, ...]


class ShardLag(msgspec.Struct, frozen=True, kw_only=True):
    """How far a projection has read a shard. token: of the last record read, null before the first.

    records: not read yet. seconds: how long the first of them has waited. Null where the journal cannot be asked.
    """

    shard: int
    token: str | None
    next: int
    records: int | None
    seconds: float | None


class ProjectionSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A projection. version, build: of the tables that are served; null where there are none yet.

    stopped: why nobody moves them on; empty while somebody does. lag: by shard.
    """

    name: str
    version: int | None
    build: int | None
    stopped: str
    tables: tuple[str, ...]
    lag: tuple[ShardLag, ...]


class ProjectionList(msgspec.Struct, frozen=True, kw_only=True):
    """All projections."""

    projections: tuple[ProjectionSummary, ...]


class ProjectionDescription(msgspec.Struct, frozen=True, kw_only=True):
    """A projection with its tables."""

    projection: ProjectionSummary
    tables: tuple[TableDescription, ...]


class ParameterDescription(msgspec.Struct, frozen=True, kw_only=True):
    """A parameter of a named query. default: as it would be given; null where there is none, or it is null."""

    name: str
    kind: Kind
    is_required: bool
    default: str | None
    description: str


class QueryDescription(msgspec.Struct, frozen=True, kw_only=True):
    """A named query."""

    name: str
    description: str
    parameters: tuple[ParameterDescription, ...]


class QueryList(msgspec.Struct, frozen=True, kw_only=True):
    """All named queries."""

    queries: tuple[QueryDescription, ...]


class AsOf(msgspec.Struct, frozen=True, kw_only=True):
    """The moment of an answer's rows. tokens: by shard, of the last record that the projection had read."""

    version: int
    build: int
    tokens: Mapping[str, str]


class RowsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of a table. next: the cursor of the rows behind them, null at the end."""

    projection: str
    table: str
    as_of: AsOf
    rows: Sequence[Mapping[str, Any]]
    next: str | None


class ResultAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a named query returned. as_of: by projection, of all of them."""

    query: str
    as_of: Mapping[str, AsOf]
    rows: Sequence[Mapping[str, Any]]


def token_of(place: ReadTo) -> str | None:
    """The token of the last record that was read; None before the first."""
    return Position(place.journal, place.shard, place.next - 1, 0).token if place.next else None


def as_of(standing: Standing) -> AsOf:
    """The moment that a standing is of."""
    tokens = {str(place.shard): token for place in standing.positions if (token := token_of(place)) is not None}
    return AsOf(version=standing.version, build=standing.build, tokens=tokens)


def summary(projection: Projection, standing: Standing | None, ends: JournalEnds) -> ProjectionSummary:
    """A projection as it stands. It asks the journal, outside of the event loop."""
    known = ends.ends()
    places = {} if standing is None else {place.shard: place for place in standing.positions}
    lag = [_lag(shard, places.get(shard), known.get(shard), ends) for shard in sorted({*known, *places})]
    return ProjectionSummary(
        name=projection.name,
        version=None if standing is None else standing.version,
        build=None if standing is None else standing.build,
        stopped="" if standing is None else standing.stopped,
        tables=tuple(table_name(row) for row in projection.rows),
        lag=tuple(lag),
    )


def _lag(shard: int, place: ReadTo | None, end: int | None, ends: JournalEnds) -> ShardLag:
    next = 0 if place is None else place.next
    records = None if end is None else max(0, end - next)
    seconds = 0.0 if records == 0 else None if records is None or place is None else ends.waited_s(place)
    token = None if place is None else token_of(place)
    return ShardLag(shard=shard, token=token, next=next, records=records, seconds=seconds)


def tables(projection: Projection) -> tuple[TableDescription, ...]:
    """The tables of a projection, as its row classes have them."""
    shapes = [table_shape(row) for row in projection.rows]
    return tuple(
        TableDescription(name=shape.name, comment=shape.comment, columns=tuple(map(_column, shape.columns)))
        for shape in shapes
    )


def _column(column: Column) -> ColumnDescription:
    return ColumnDescription(
        name=column.name,
        kind=column.kind,
        may_be_null=column.nullable,
        is_key=column.is_key,
        is_indexed=column.indexed,
        filters=operators_of(column),
        comment=column.comment,
    )


def query_description(query: NamedQuery) -> QueryDescription:
    """A named query, as its file has it."""
    parameters = tuple(map(_query_parameter, query.parameters))
    return QueryDescription(name=query.name, description=query.description, parameters=parameters)


def _query_parameter(parameter: QueryParameter) -> ParameterDescription:
    is_required = parameter.default is msgspec.UNSET
    has_default = not is_required and parameter.default is not None
    return ParameterDescription(
        name=parameter.name,
        kind=parameter.kind,
        is_required=is_required,
        default=text_of(parameter.default) if has_default else None,
        description=parameter.description,
    )

"""Reading projections' tables on a SQL database: what both databases have in common."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    CursorResult,
    Engine,
    Executable,
    Table,
    TextClause,
    bindparam,
    exc,
    text,
)

from shardlog.adapters.sql.faults import fault, mapped
from shardlog.adapters.sql.parameters import converter
from shardlog.adapters.sql.selecting import Selecting
from shardlog.adapters.sql.standing import lacking, standings, view_of
from shardlog.adapters.sql.tables import SQL_TYPES
from shardlog.errors import ConfigurationError, QueryTimeout, StoreUnavailable
from shardlog.model.projection import Projection
from shardlog.ports.reading import Found, NamedQuery, ProjectionReader, ResultColumn, Selection, Standing
from shardlog.ports.rows import Column, Kind, table_shape

FETCHED_ROWS = 1_000
"""So many rows are asked of a server at once."""


class SqlProjectionReader(ProjectionReader):
    """What is the same on every database. engine: its connections can only read; it is disposed of."""

    def __init__(self, engine: Engine, statement_timeout_ms: int) -> None:
        self._engine = engine
        self._timeout_ms = statement_timeout_ms
        self._dialect = engine.dialect.name

    # -- what databases differ in --------------------------------------------------------------------------------------
    @abstractmethod
    def _begin_statement(self, connection: Connection) -> None:
        """A statement, or the fetching of more of its rows, begins: its time counts from now."""

    def _hold(self, connection: Connection, views: Sequence[str]) -> None:
        """Keep what views show from being switched until the end, where names are not of the transaction's moment.

        It comes first: the moment is that of the first reading behind it.
        """

    @abstractmethod
    def _is_timeout(self, error: exc.DBAPIError) -> bool:
        """Whether a statement was broken off since it took too long."""

    @abstractmethod
    def _shown(self, column: Column, expression: ColumnElement[Any]) -> ColumnElement[Any]:
        """How a column is read, so that `_restore` gets a value that it knows."""

    @abstractmethod
    def _restore(self, kind: Kind | None) -> Callable[[Any], object] | None:
        """What makes a value of the driver's Python's; None where it is."""

    @abstractmethod
    def _described(self, result: CursorResult[Any]) -> Sequence[ResultColumn]:
        """The columns of a named query."""

    @abstractmethod
    def _prepared(self, connection: Connection, statement: TextClause) -> Sequence[ResultColumn]:
        """Let the database look at a statement without running it."""

    # -- the port ------------------------------------------------------------------------------------------------------
    def standings(self, projections: Sequence[Projection]) -> Mapping[str, Standing]:
        """By name, how far each projection is, of one moment."""
        with self._reading("reading how far projections are"), self._moment() as connection:
            self._begin_statement(connection)
            return standings(connection, projections)

    def select(self, selection: Selection) -> Found:
        """Rows of a table, and how far its projection is."""
        projection, shape = selection.projection, table_shape(selection.row)
        kinds, table = {column.name: column.kind for column in shape.columns}, view_of(shape)
        selecting = Selecting(table, selection, self._dialect)
        columns = [ResultColumn(name, kinds[name]) for name in selection.columns]
        with self._reading(f"reading table {table.name!r}"), self._opened() as connection:
            self._hold(connection, [table.name])
            at = standings(connection, [projection])
            if projection.name not in at:
                raise StoreUnavailable(
                    f"projection {projection.name!r} has no tables here yet: they are made when a projector keeps it"
                )
            self._check_version(connection, projection, at[projection.name].version, table)
            last = self._last(connection, selecting, [kinds[order.column] for order in selection.orders])
            result = self._executed(connection, selecting.rows(self._shown))
            return _SqlFound(self, connection, result, columns, at, last)

    def check(self, query: NamedQuery) -> Sequence[ResultColumn]:
        """Have it prepared. Raises ConfigurationError, naming file and line."""
        try:
            with self._engine.connect() as connection, connection.begin():
                self._begin_statement(connection)
                found = self._prepared(connection, self._bound(query, {p.name: None for p in query.parameters}))
        except exc.SQLAlchemyError as error:
            if isinstance(error, exc.DBAPIError) and not error.connection_invalidated and error.orig is not None:
                why = str(error.orig).strip().splitlines()[0]
                raise ConfigurationError(
                    f"{query.file}, the statement from line {query.line} on: the database does not take it: {why}"
                ) from error
            raise fault(error, f"checking {query.file}") from error
        if not found:
            raise ConfigurationError(
                f"{query.file}, the statement from line {query.line} on: it returns no columns, and a named query "
                "reads: write one SELECT"
            )
        names = [column.name for column in found]
        if twice := next((name for place, name in enumerate(names) if name in names[:place]), None):
            raise ConfigurationError(
                f"{query.file}, the statement from line {query.line} on: it returns {names.count(twice)} columns named "
                f"{twice!r}, and a row in JSON has a name once: give one another name, as in `{twice} AS other_{twice}`"
            )
        return found

    def run(self, query: NamedQuery, values: Mapping[str, object], projections: Sequence[Projection]) -> Found:
        """What it returns, and how far these projections are."""
        with self._reading(f"running query {query.name!r}"), self._opened() as connection:
            self._hold(connection, [name for projection in projections for name in _views(projection)])
            at = standings(connection, projections)
            result = self._executed(connection, self._bound(query, values))
            return _SqlFound(self, connection, result, self._described(result), at, None)

    def close(self) -> None:
        """Free connections. Idempotent."""
        self._engine.dispose()

    # -- how -----------------------------------------------------------------------------------------------------------
    def _bound(self, query: NamedQuery, values: Mapping[str, object]) -> TextClause:
        bound = []
        for parameter in query.parameters:
            column = Column(parameter.name, parameter.kind, True, False, False, None, None)
            convert, value = converter(column, self._dialect), values[parameter.name]
            held = value if convert is None else convert(value)
            bound.append(bindparam(parameter.name, held, type_=SQL_TYPES[parameter.kind]))
        return text(query.statement).bindparams(*bound)

    def _check_version(self, connection: Connection, projection: Projection, version: int, view: Table) -> None:
        """Another version's tables are read where they have the columns that this code knows."""
        if version == projection.version:
            return
        self._begin_statement(connection)
        if missing := lacking(connection, view):
            raise StoreUnavailable(
                f"version {version} of projection {projection.name!r} serves, and table {view.name!r} lacks "
                f"{', '.join(missing)} there: this code is of version {projection.version}. Switch to its build, or "
                "ask a process with the other version's code"
            )

    def _last(self, connection: Connection, selecting: Selecting, kinds: Sequence[Kind]) -> tuple[object, ...] | None:
        self._begin_statement(connection)
        found = connection.execute(selecting.last(self._shown)).all()
        if len(found) < 2:
            return None
        restores = [self._restore(kind) for kind in kinds]
        return tuple(_restored(value, restore) for value, restore in zip(found[0], restores, strict=True))

    def _executed(self, connection: Connection, statement: Executable) -> CursorResult[Any]:
        self._begin_statement(connection)
        options = {"stream_results": True, "yield_per": FETCHED_ROWS}
        return connection.execute(statement, execution_options=options)

    @contextmanager
    def _moment(self) -> Iterator[Connection]:
        """A transaction whose readings are of one moment."""
        with self._engine.connect() as plain:
            connection = self._of_one_moment(plain)
            with connection.begin():
                yield connection

    @contextmanager
    def _opened(self) -> Iterator[Connection]:
        """The same, left open for whoever reads its rows; closed where anything is raised."""
        plain = self._engine.connect()
        try:
            connection = self._of_one_moment(plain)
            connection.begin()
            self._begin_statement(connection)
            yield connection
        except BaseException:
            plain.close()
            raise

    def _of_one_moment(self, connection: Connection) -> Connection:
        return connection

    @contextmanager
    def _reading(self, doing: str) -> Iterator[None]:
        try:
            with mapped(doing):
                yield
        except Exception as error:
            cause = error.__cause__
            if isinstance(cause, exc.DBAPIError) and self._is_timeout(cause):
                raise QueryTimeout(
                    f"{doing}: broken off after {self._timeout_ms} ms (statement_timeout_ms): ask for less, or by "
                    "columns that have an index"
                ) from error
            raise


class _SqlFound(Found):
    """Rows of one result; the connection is its own until it is closed."""

    def __init__(
        self,
        reader: SqlProjectionReader,
        connection: Connection,
        result: CursorResult[Any],
        columns: Sequence[ResultColumn],
        at: Mapping[str, Standing],
        last: tuple[object, ...] | None,
    ) -> None:
        self.columns, self.standings, self.last = columns, at, last
        self._reader = reader
        self._connection = connection
        self._result = result
        self._restores = [reader._restore(column.kind) for column in columns]
        self._turn = threading.Lock()

    def read(self, rows_max: int) -> Sequence[tuple[object, ...]]:
        """The next rows, none at the end."""
        reader = self._reader
        with self._turn, reader._reading("reading rows"):
            if self._connection.closed:
                return []
            reader._begin_statement(self._connection)
            rows = self._result.fetchmany(rows_max)
        if not any(self._restores):
            return [tuple(row) for row in rows]
        return [tuple(map(_restored, row, self._restores)) for row in rows]

    def close(self) -> None:
        """Let go of the connection."""
        with self._turn, suppress(exc.SQLAlchemyError):  # of a connection that is lost there is nothing to let go of
            self._result.close()
            self._connection.close()


def _views(projection: Projection) -> list[str]:
    """The names that a statement may read the projection's rows by."""
    return [table_shape(row).name for row in projection.rows] + [join.name for join in projection.views]


def _restored(value: object, restore: Callable[[Any], object] | None) -> object:
    return value if restore is None or value is None else restore(value)

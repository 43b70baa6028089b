"""Reading projections' tables in PostgreSQL, as a role that has no right to anything else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import msgspec
import psycopg
from psycopg.sql import SQL, Identifier
from sqlalchemy import (
    ColumnElement,
    Connection,
    CursorResult,
    Engine,
    Text,
    TextClause,
    create_engine,
    event,
    exc,
)
from sqlalchemy import (
    cast as sql_cast,
)
from sqlalchemy.engine import URL, make_url

from shardlog.adapters.postgresql.connecting import CONNECT_SECONDS, KEEPALIVE, connect
from shardlog.adapters.postgresql.faults import opening
from shardlog.adapters.sql.reading import SqlProjectionReader
from shardlog.errors import ConfigurationError
from shardlog.ports.reading import ResultColumn
from shardlog.ports.rows import Column, Kind

POOL_WAIT_SECONDS = 5.0
QUERY_CANCELED = "57014"
_MET_AGAIN = ("42P01", "42501")
"""What is not there, or may not be read as a whole: the reading itself says so, where it matters."""
CHECK_CURSOR = "shardlog_check"
_KINDS: Mapping[int, Kind] = {
    16: "boolean", 17: "bytes", 18: "text", 19: "text", 20: "integer", 21: "integer", 23: "integer", 25: "text",
    114: "json", 700: "real", 701: "real", 1042: "text", 1043: "text", 1082: "date", 1184: "time", 1700: "decimal",
    2950: "uuid", 3802: "json",
}  # fmt: skip
"""By the number that PostgreSQL gives a type in pg_type, which never changes for its own types."""
_WRITES = """
SELECT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
    OR has_schema_privilege(%(schema)s, 'CREATE')
    OR coalesce(bool_or(has_table_privilege(oid, 'INSERT, UPDATE, DELETE, TRUNCATE')), false)
FROM pg_class WHERE relnamespace = to_regnamespace(quote_ident(%(schema)s)) AND relkind IN ('r', 'v', 'm', 'p')
"""


class PostgresqlProjectionReader(SqlProjectionReader):
    """url: of the database, with the role that reads. schema: of the tables. connections_max: that are open at once.

    Raises ConfigurationError for a role that may write, or may not read; StoreUnavailable, StoreFailed.
    """

    def __init__(self, url: str, *, schema: str, statement_timeout_ms: int, connections_max: int) -> None:
        target = make_url(url)
        with opening(target):
            _refuse_writer(target, schema)
        super().__init__(_engine(target, schema, statement_timeout_ms, connections_max), statement_timeout_ms)

    def _of_one_moment(self, connection: Connection) -> Connection:
        return connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    def _begin_statement(self, connection: Connection) -> None:
        """The server counts, by statement_timeout."""

    def _hold(self, connection: Connection, views: Sequence[str]) -> None:
        """A view's definition is that of now, and rows are those of the moment: tables that were filled and switched to
        in between would look empty."""
        quoted = ", ".join(map(connection.dialect.identifier_preparer.quote, views))
        try:
            with connection.begin_nested():
                connection.exec_driver_sql(f"LOCK TABLE {quoted} IN ACCESS SHARE MODE")
        except exc.DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) not in _MET_AGAIN:
                raise
            if len(views) > 1:
                for view in views:
                    self._hold(connection, [view])

    def _is_timeout(self, error: exc.DBAPIError) -> bool:
        return getattr(error.orig, "sqlstate", None) == QUERY_CANCELED

    def _shown(self, column: Column, expression: ColumnElement[Any]) -> ColumnElement[Any]:
        """JSON as its text, which goes out as it is."""
        return sql_cast(expression, Text()) if column.kind == "json" else expression

    def _restore(self, kind: Kind | None) -> Callable[[Any], object] | None:
        return _json if kind == "json" else None if kind in _SHOWN else str

    def _described(self, result: CursorResult[Any]) -> Sequence[ResultColumn]:
        description = result.cursor.description if result.cursor is not None else None
        return [ResultColumn(str(column[0]), _KINDS.get(cast("int", column[1]))) for column in description or ()]

    def _prepared(self, connection: Connection, statement: TextClause) -> Sequence[ResultColumn]:
        """A cursor is declared and nothing fetched: PostgreSQL plans it, looks at the rights, and takes one SELECT."""
        compiled = statement.compile(dialect=connection.dialect)
        driver = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
        try:
            with driver.cursor(CHECK_CURSOR) as cursor:
                cursor.execute(str(compiled).encode(), compiled.params)
                return [ResultColumn(column.name, _KINDS.get(column.type_code)) for column in cursor.description or ()]
        except psycopg.Error as error:
            raise exc.DBAPIError(None, None, error) from error


_SHOWN: frozenset[Kind | None] = frozenset(
    {"boolean", "integer", "real", "decimal", "text", "bytes", "time", "date", "uuid", "enum", "int_enum"}
)


def _json(value: object) -> object:
    return msgspec.Raw(value.encode()) if isinstance(value, str) else msgspec.Raw(msgspec.json.encode(value))


def _engine(target: URL, schema: str, statement_timeout_ms: int, connections_max: int) -> Engine:
    engine = create_engine(
        target.set(drivername="postgresql+psycopg"),
        pool_size=connections_max,
        max_overflow=0,
        pool_timeout=POOL_WAIT_SECONDS,
        pool_pre_ping=True,
        connect_args={"connect_timeout": CONNECT_SECONDS, "application_name": "shardlog query", **KEEPALIVE},
    )

    def enter(connection: psycopg.Connection[Any], _record: object) -> None:
        """Names are looked up in the schema alone; sessions begin as readers, whatever a role's own settings are."""
        connection.execute(SQL("SET search_path TO {}, pg_temp").format(Identifier(schema)))
        connection.execute("SET default_transaction_read_only TO on")
        connection.execute("SET timezone TO 'UTC'")
        idle_ms = max(statement_timeout_ms, 60_000)
        for name, value in (
            ("statement_timeout", statement_timeout_ms),
            ("lock_timeout", statement_timeout_ms),
            ("idle_in_transaction_session_timeout", idle_ms),
        ):
            connection.execute(SQL("SET {} TO {}").format(Identifier(name), value))
        connection.commit()

    event.listen(engine, "connect", enter, insert=True)
    return engine


def _refuse_writer(target: URL, schema: str) -> None:
    with connect(target) as connection:
        found = connection.execute("SELECT to_regnamespace(quote_ident(%s))", (schema,)).fetchone()
        if found is None or found[0] is None:
            raise ConfigurationError(
                f"there is no schema {schema!r} in {target!r}: it is made by whoever keeps the projections. Start that"
            )
        usage = connection.execute("SELECT has_schema_privilege(%s, 'USAGE')", (schema,)).fetchone()
        if usage is None or not usage[0]:
            raise ConfigurationError(
                f"role {target.username!r} may not use schema {schema!r}: let it, by `shardlog admin grant-reads "
                f"{target.username}`, as whoever keeps the projections"
            )
        writes = connection.execute(_WRITES, {"schema": schema}).fetchone()
        if writes is not None and writes[0]:
            raise ConfigurationError(
                f"role {target.username!r} may write to schema {schema!r}, and a query API has no use for that: make "
                "a role for it, `CREATE ROLE reader LOGIN PASSWORD ...`, let it read by `shardlog admin grant-reads "
                "reader`, and name it in [query] user"
            )

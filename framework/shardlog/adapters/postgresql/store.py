"""The projection store on PostgreSQL: rows and checkpoints through psycopg in one pipeline, all else as other stores.

A schema holds the tables of one project. Whoever makes tables takes a lock of that schema first, so that two that start
at once don't meet; writing takes none: the checkpoint's row is what two workers of a shard meet at (rule C1).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import psycopg
from psycopg.sql import SQL, Identifier
from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url

from shardlog.adapters.postgresql.connecting import make_schema, open_engine
from shardlog.adapters.postgresql.faults import opening, psycopg_mapped
from shardlog.adapters.postgresql.parked import open_of_all
from shardlog.adapters.postgresql.statements import Driver, TableStatements, check
from shardlog.adapters.postgresql.views import PostgresqlViews
from shardlog.adapters.postgresql.waiting import make_function
from shardlog.adapters.sql.batch_writers import run_writers
from shardlog.adapters.sql.builds import SqlBuilds
from shardlog.adapters.sql.store import SqlProjectionStore, moved, write_rest
from shardlog.adapters.sql.tables import BUILDS, CHECKPOINTS, row_table
from shardlog.errors import ConfigurationError
from shardlog.model.messages import Row
from shardlog.ports.builds import Build, BuildKey, Builds
from shardlog.ports.checkpoints import Checkpoint, Move
from shardlog.ports.projections import Batch
from shardlog.ports.rows import table_shape

_LOCK = text("SELECT pg_advisory_xact_lock(hashtext(current_schema()), 1936220015)")
_SET = SQL(", ").join(SQL("{} = %s").format(Identifier(name)) for name in Checkpoint._fields)
_NAMES = SQL(", ").join(map(Identifier, ("projection", "version", "build", *Checkpoint._fields)))
_FIRST = SQL(  # locked, so that a build whose first batch is under way is not dropped, and begun again, beneath it
    "INSERT INTO {} ({}) SELECT {} FROM {} WHERE projection = %s AND version = %s AND build = %s FOR KEY SHARE"
    " ON CONFLICT DO NOTHING"
).format(
    Identifier(CHECKPOINTS.name),
    _NAMES,
    SQL(", ").join([SQL("%s")] * (3 + len(Checkpoint._fields))),
    Identifier(BUILDS.name),
)
_MOVE = SQL(
    "UPDATE {} SET {} WHERE projection = %s AND version = %s AND build = %s AND journal = %s AND shard = %s"
    " AND next = %s AND head = %s"
).format(Identifier(CHECKPOINTS.name), _SET)
LOCK_WAIT_MS = 1_000
"""How long builds wait for others' locks. Whoever reads a view waits behind them, so they give way and try again."""


class PostgresqlProjectionStore(SqlProjectionStore):
    """Projections in one schema of one database.

    url: postgresql://user@host:port/database; the password in it, in PGPASSWORD or in a password file of libpq's.
    schema: made where it is missing. Raises ConfigurationError for another URL, and where the server refuses user,
    password or database; StoreUnavailable and StoreFailed where it cannot be opened.
    """

    def __init__(self, url: str, *, schema: str = "shardlog") -> None:
        target = make_url(url)
        if target.get_backend_name() != "postgresql":
            raise ConfigurationError(f"projections in PostgreSQL need a postgresql:// URL, and this is {target!r}")
        self._tables: dict[tuple[BuildKey, type[Row]], TableStatements] = {}
        with opening(target):
            make_schema(target, schema)
        super().__init__(open_engine(target, schema))
        with psycopg_mapped(f"opening {target!r}"), self._transaction() as connection:
            make_function(cast("Driver", connection.connection.driver_connection), schema)

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with super()._transaction() as connection:
            connection.execute(_LOCK)
            yield connection

    @contextmanager
    def _moment(self) -> Iterator[Connection]:
        with self._engine.connect() as plain:
            connection = plain.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection

    @property
    def waits_for_server(self) -> bool:
        """It does: psycopg sends arrays, and waits outside of the interpreter's lock."""
        return True

    @property
    def builds(self) -> Builds:
        """The builds in this schema."""
        return SqlBuilds(self._patient, self._moment, PostgresqlViews())

    @contextmanager
    def _patient(self) -> Iterator[Connection]:
        with self._transaction() as connection:
            connection.execute(text(f"SET LOCAL lock_timeout = {LOCK_WAIT_MS}"))
            yield connection

    def _write(self, connection: Connection, batch: Batch) -> None:
        key = batch.build.key
        with psycopg_mapped(f"writing build {key.label}"):
            driver = cast("Driver", connection.connection.driver_connection)
            with driver.pipeline():
                moves = [(move, _move(driver, key, move)) for move in batch.moves]
            for move, cursor in moves:  # known before rows are sent: what is refused costs nothing
                if cursor.rowcount != 1:
                    raise moved(key, move)
            for changes in batch.tables:
                statements = self._unnested(batch.build, changes.row)
                with psycopg_mapped(f"writing table {statements.table.name!r} of projection {key.projection!r}"):
                    with driver.pipeline():
                        counted = statements.write(driver, changes)
                    check(statements.table.name, counted)
            run_writers(connection, batch)
        write_rest(connection, batch, open_of_all)

    def _check_deferred(self, connection: Connection) -> None:
        connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))

    def _unnested(self, build: Build, row: type[Row]) -> TableStatements:
        place = (build.key, row)
        if place not in self._tables:
            self._tables[place] = TableStatements(row_table(build, row), table_shape(row))
        return self._tables[place]


def _move(driver: Driver, key: BuildKey, move: Move) -> psycopg.Cursor[Any]:
    if move.old is None:
        return driver.execute(_FIRST, (*key, *move.new, *key))
    old = move.old
    return driver.execute(_MOVE, (*move.new, *key, old.journal, old.shard, old.next, old.head))

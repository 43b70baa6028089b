"""Handlers of batches on a SQL database: they run in the store's transaction, which they cannot end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from sqlalchemy import Connection, Table, exc, select, true

from shardlog.adapters.sql.tables import table_name
from shardlog.adapters.sql.typed_tables import typed_table
from shardlog.errors import ProjectionError, RowsRefused
from shardlog.model.batches import OpenTables
from shardlog.model.messages import Row
from shardlog.ports.projections import Batch

_ENDS = ("commit", "rollback", "close")


def run_writers(connection: Connection, batch: Batch) -> None:
    """Run them in this transaction. What the database raises is left to the store's own judgement.

    Raises RowsRefused for whatever else a handler raises, and for one that ends the transaction.
    """
    if not batch.writers:
        return
    build, rows = batch.build, frozenset(batch.build.projection.rows)

    def table(row: type[Row]) -> Table:
        if row not in rows:
            raise KeyError(row)
        return typed_table(table_name(build, row), row, connection.dialect.name)

    database_errors = (exc.SQLAlchemyError, connection.dialect.loaded_dbapi.Error, ProjectionError)
    with _never_ended(connection):
        for write in batch.writers:
            try:
                write(OpenTables(connection, table))
                connection.execute(select(true()))  # where a handler swallowed an error, PostgreSQL refuses this too
            except database_errors:
                raise
            except Exception as error:
                raise RowsRefused(f"a handler of batches raised {type(error).__name__}: {error}") from error


@contextmanager
def _never_ended(connection: Connection) -> Iterator[None]:
    """Refuse a commit or a rollback: rows and checkpoint are one transaction, and the store ends it."""
    for name in _ENDS:  # on this object: a listener that raises would leave SQLAlchemy with half an end
        setattr(connection, name, _refuse_end)
    try:
        yield
    finally:
        for name in _ENDS:
            delattr(connection, name)


def _refuse_end() -> NoReturn:
    raise RowsRefused(
        "a handler of batches ends the transaction, which rows and checkpoint share: it is committed for the handler. "
        "Take commit() and rollback() out; begin_nested() gives a savepoint"
    )

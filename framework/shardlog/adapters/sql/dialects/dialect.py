"""What a database has to say for itself so that projections can be kept in it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Dialect, Engine, Table
from sqlalchemy.engine import URL
from sqlalchemy.sql.dml import UpdateBase

from shardlog.adapters.sql.values import Convert
from shardlog.errors import ProjectionError
from shardlog.ports.rows import Column, TableShape

WRITES = "shardlog_writes"
"""The execution option of a connection that is going to write: its transaction then begins as a writer's."""


class Compiled(NamedTuple):
    """A statement's text, and the names of its parameters in the order in which the text wants them."""

    text: str
    names: tuple[str, ...]


class Upsert(NamedTuple):
    """A row that is inserted where its key is not there yet.

    inserted: by column, the parameter with its value. changed: by column, what the row that is there gets.
    """

    table: Table
    keys: Sequence[str]
    inserted: Mapping[str, ColumnElement[Any]]
    changed: Mapping[str, ColumnElement[Any]]


class SqlDialect(ABC):
    """One kind of database."""

    name: str
    """As SQLAlchemy calls it."""
    commits_ddl: bool = False
    """Whether a statement that makes or drops a table or a view commits what is open, and itself."""

    @abstractmethod
    def open(self, url: URL, lock_wait_ms: int) -> Engine:
        """An engine whose connections are told all that a projection needs. Connects to nothing yet."""

    @abstractmethod
    def converter(self, column: Column, shape: TableShape) -> Convert | None:
        """What makes a value of the column, which is never None, fit the driver; None where it does.

        It raises TypeError or ValueError for a value that the database would change silently.
        """

    @abstractmethod
    def put(self, upsert: Upsert, dialect: Dialect) -> Compiled:
        """Insert the row, or set all its columns but the key; `changed` is not looked at."""

    @abstractmethod
    def increment(self, upsert: Upsert, dialect: Dialect) -> Compiled:
        """Insert the row, or change the one that is there; it stays as it is where nothing is `changed`."""

    def increment_alike(
        self, upsert: Upsert, adds: Sequence[str], sets: Sequence[str], dialect: Dialect
    ) -> Compiled | None:
        """`increment` for rows whose inserted values are also what is added and set: without parameters of `changed`.

        None where that is no faster.
        """
        return None

    def added(self, column: ColumnElement[Any], amount: ColumnElement[Any]) -> ColumnElement[Any]:
        """The exact sum of a column and an amount."""
        return column + amount

    def check_rows(self, connection: Connection, rows: Sequence[tuple[object, ...]]) -> None:
        """Raises ValueError for a row that cannot be sent, or would break the connection. After `converter`."""
        return

    @abstractmethod
    def kind(self, origin: BaseException) -> type[ProjectionError] | None:
        """What an error of the driver's means; None for an error that is not this driver's."""

    @abstractmethod
    def shown(self, column: Column, value: Any) -> object:
        """A value that was read, which is never None, as JSON has it."""

    @contextmanager
    def making_tables(self, engine: Engine) -> Iterator[None]:
        """Around a transaction that makes or drops tables: one process at a time, where a transaction is not enough."""
        yield


def compiled(statement: UpdateBase, dialect: Dialect) -> Compiled:
    """A statement of SQLAlchemy's."""
    said = statement.compile(dialect=dialect)
    return Compiled(str(said), tuple(said.positiontup or ()))

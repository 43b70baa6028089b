"""The port of whoever reads projections' tables: rows of one moment with the positions that they stand at.

A reader writes nothing, and cannot: its connections and its user are for reading alone. What is asked is data, names
come from row classes and from queries that stand in files, so that no text of a client ever becomes SQL.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import msgspec

from shardlog.model.messages import Row
from shardlog.model.projection import Projection
from shardlog.ports.rows import Kind

Operator: TypeAlias = Literal["eq", "ne", "lt", "lte", "gt", "gte", "in", "like", "null"]
_ORDERED: tuple[Operator, ...] = ("eq", "ne", "lt", "lte", "gt", "gte", "in")
OPERATORS: Mapping[Kind, tuple[Operator, ...]] = {
    "boolean": ("eq", "ne"),
    "integer": _ORDERED,
    "real": _ORDERED,
    "decimal": _ORDERED,
    "text": (*_ORDERED, "like"),
    "bytes": ("eq", "ne", "in"),
    "time": _ORDERED,
    "date": _ORDERED,
    "uuid": ("eq", "ne", "in"),
    "enum": (*_ORDERED, "like"),
    "int_enum": _ORDERED,
    "json": (),
}
"""What a column of each kind may be compared by; `null` beside where it may be null."""


class Condition(NamedTuple):
    """What a row's column must be. value: of the column's kind; a tuple of them for `in`, a bool for `null`."""

    column: str
    operator: Operator
    value: object


class Order(NamedTuple):
    """By what rows are sorted. Null is the largest value."""

    column: str
    is_descending: bool


class Selection(NamedTuple):
    """Rows of one table. orders: a total order, the key among it. behind: values of `orders` of the row that the
    wanted ones come behind; None for the first."""

    projection: Projection
    row: type[Row]
    columns: tuple[str, ...]
    conditions: Sequence[Condition]
    orders: Sequence[Order]
    behind: tuple[object, ...] | None
    limit: int


class QueryParameter(msgspec.Struct, frozen=True):
    """A typed parameter of a named query. default: None is null; msgspec.UNSET where it must be given."""

    name: str
    kind: Kind
    default: object
    description: str


class NamedQuery(msgspec.Struct, frozen=True):
    """One statement that stands in a file, its parameters as `:name`. line: where the statement begins in it."""

    name: str
    description: str
    parameters: tuple[QueryParameter, ...]
    statement: str
    file: Path
    line: int


class ReadTo(NamedTuple):
    """How far a projection has read one shard. shards: of the journal. next: the first offset not read."""

    journal: str
    shard: int
    shards: int
    next: int


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """The tables of a projection that are served. build: of the version, from 1. stopped: why nobody moves them on.

    is_paused: somebody told those who keep it to wait.
    """

    version: int
    build: int
    positions: tuple[ReadTo, ...]
    stopped: str = ""
    is_paused: bool = False


class ResultColumn(NamedTuple):
    """A column of what was found. kind: None where the database does not say."""

    name: str
    kind: Kind | None


class Found(ABC):
    """Rows of one moment, read bit by bit; it holds a connection until it is closed. Any thread may call it.

    Values are Python's: times with UTC, Decimal, UUID, bytes; JSON is msgspec.Raw.
    """

    columns: Sequence[ResultColumn]
    standings: Mapping[str, Standing]
    """By projection, as of the same moment."""
    last: tuple[object, ...] | None
    """Of a selection with more rows than its limit: the values of its orders in the last row that is read here."""

    @abstractmethod
    def read(self, rows_max: int) -> Sequence[tuple[object, ...]]:
        """The next rows, none at the end. Raises as the reader's methods do."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the connection. Idempotent; it waits for a `read` under way."""


class ProjectionReader(ABC):
    """Reads the tables of one database.

    Methods raise QueryTimeout where a statement takes longer than it may, RowsRefused where it cannot be worked out,
    StoreUnavailable where trying again may help, and StoreFailed where it does not.
    """

    @abstractmethod
    def standings(self, projections: Sequence[Projection]) -> Mapping[str, Standing]:
        """By name, how far each projection is, of one moment. One whose tables are not made yet is missing."""

    @abstractmethod
    def select(self, selection: Selection) -> Found:
        """Rows of a table. Raises StoreUnavailable where it is not made yet, TableMismatch where it lacks a column."""

    @abstractmethod
    def check(self, query: NamedQuery) -> Sequence[ResultColumn]:
        """What the query would return; it is prepared, and not run. Raises ConfigurationError, naming file and line."""

    @abstractmethod
    def run(self, query: NamedQuery, values: Mapping[str, object], projections: Sequence[Projection]) -> Found:
        """What the query returns, and how far these projections are."""

    @abstractmethod
    def close(self) -> None:
        """Free connections. Idempotent."""

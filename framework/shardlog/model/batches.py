"""Handlers of whole batches, for those who want SQL: the events of one transaction, and its connection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeAlias, TypeVar, get_args, get_origin

from shardlog.codec.types import union_members
from shardlog.errors import DomainError
from shardlog.model.messages import Event, Recorded, Row
from shardlog.model.names import show
from shardlog.model.signatures import read_signature

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table

E = TypeVar("E", bound=Event, covariant=True)

_FORM = "(batch: Batch[SomeEvent | AnotherEvent])"


class OpenTables(NamedTuple):
    """A projection's tables inside the transaction that moves its checkpoint.

    connection: SQLAlchemy's. table: the table of a row class, as it is named there.
    """

    connection: Connection
    table: Callable[[type[Row]], Table]


class Batch(Generic[E]):
    """What a handler of batches is given: all events that it hears of one transaction, and that transaction.

    events: with their records, each stream's in order. connection: SQLAlchemy's, inside the transaction of rows and
    checkpoint; it is committed for the handler, never by it. What other handlers of the projection put, update,
    increment and remove for these events is written before.
    """

    __slots__ = ("_tables", "_why_undeclared", "events")

    def __init__(
        self,
        events: Sequence[tuple[E, Recorded]],
        tables: OpenTables,
        why_undeclared: Callable[[type[Row]], str] = lambda row: "it is no row of this projection",
    ) -> None:
        self.events = events
        self._tables = tables
        self._why_undeclared = why_undeclared

    @property
    def connection(self) -> Connection:
        """SQLAlchemy's connection, in the transaction that moves the checkpoint."""
        return self._tables.connection

    def table(self, row: type[Row], /) -> Table:
        """The row class's table, to make statements of; it takes and gives the values that rows hold.

        Its name is its own for each version and build: never write it. Raises DomainError for another projection's row.
        """
        try:
            return self._tables.table(row)
        except KeyError as error:
            raise DomainError(f"{show(row)}: {self._why_undeclared(row)}") from error


BatchHandler: TypeAlias = Callable[[Batch[Any]], None]


class HeardBatches(NamedTuple):
    """A handler of batches, and the event classes that it hears."""

    handler: BatchHandler
    events: frozenset[type[Event]]


def read_batch_handler(owner: str, function: BatchHandler) -> HeardBatches:
    """What a handler of batches hears, by its annotation. Raises DomainError."""
    signature = read_signature(function, owner=owner, form=_FORM, arity=(1,))
    argument = signature.arguments[0]
    if get_origin(argument) is not Batch:
        hint = ". Events one by one are heard with `on`." if _is_event(argument) else ""
        raise DomainError(f"{signature.handler} takes ({show(argument)}), and must take {_FORM}{hint}")
    for event in union_members(get_args(argument)[0]):
        if not _is_event(event):
            raise DomainError(f"{signature.handler} takes Batch[{show(event)}], and a batch is of events: {_FORM}")
    if signature.returns is not type(None):
        raise DomainError(
            f"{signature.handler} is annotated to return {show(signature.returns)}, and must return None: it writes "
            "with batch.connection. Changes of rows are returned by handlers that are registered with `on`."
        )
    return HeardBatches(function, frozenset(union_members(get_args(argument)[0])))


def _is_event(annotation: object) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Event)

"""Projections: events -> changes of rows, written with their checkpoint by the projector."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, Literal, TypeAlias, TypeVar, get_args

from shardlog.errors import DomainError
from shardlog.model.batches import Batch, HeardBatches, read_batch_handler
from shardlog.model.changes import Changes
from shardlog.model.given import check_each, check_each_class, check_name
from shardlog.model.joins import Join
from shardlog.model.listening import register_on
from shardlog.model.message_checks import check_message
from shardlog.model.messages import Event, Recorded, RecordedRejection, Row
from shardlog.model.names import show, where
from shardlog.model.rows import row_key, table_name
from shardlog.model.signatures import read_signature, registers

Heard = TypeVar("Heard", bound=Event)

EventHandler: TypeAlias = Callable[..., Changes]
RejectionHandler: TypeAlias = Callable[[RecordedRejection, Recorded], Changes]
OnFailure: TypeAlias = Literal["park", "stop"]
"""park: an event that fails becomes a dead letter, and its stream waits behind it. stop: the projection stops there."""


class Projection:
    """A versioned set of tables built from events. A higher version builds beside the old one and replaces it.

    name: stable. rows: the row types, a table each. version: from 1. rejections: the categories whose business
    rejections it hears; none named: all of the domains whose events it hears. views: joins of its rows. on_failure:
    what becomes of an event that cannot be handled; where it must stop, it stops before that event, live and in a
    rebuild, and goes on from there when told to. Raises DomainError.

    >>> from shardlog import Changes, Event, Key, Projection, Recorded, Row, increment
    >>> class Deposited(Event):
    ...     amount: int
    >>> class Balance(Row, name="balances"):
    ...     account: Key[str]
    ...     balance: int = 0
    >>> balances = Projection("balances", rows=[Balance])
    >>> @balances.on
    ... def deposited(event: Deposited, recorded: Recorded) -> Changes:
    ...     return increment(Balance, recorded.id, balance=event.amount)
    """

    def __init__(
        self,
        name: str,
        *,
        rows: Sequence[type[Row]],
        version: int = 1,
        rejections: Sequence[str] = (),
        views: Sequence[Join] = (),
        on_failure: OnFailure = "park",
    ) -> None:
        check_name("projection", name)
        owner = f"projection {name!r}"
        if type(version) is not int or version < 1:
            raise DomainError(f"{owner}: version={version!r}, and must be an int, 1 or more")
        if isinstance(rejections, str):
            raise DomainError(f"{owner}: rejections={rejections!r}, and must be a tuple: ({rejections!r},)")
        if on_failure not in get_args(OnFailure):
            raise DomainError(
                f"{owner}: on_failure={on_failure!r}, and must be 'park', which makes an event that fails a dead "
                "letter and goes on with other streams, or 'stop', which stops the projection before it"
            )
        self.name: Final = name
        self.on_failure: Final[OnFailure] = on_failure
        self.rows: Final = check_each_class(Row, rows, owner, "rows")
        self.version: Final = version
        self.rejections: Final = check_each(str, rejections, owner, "rejections")
        self.rejection_handler: RejectionHandler | None = None
        self._handlers: dict[type[Event], EventHandler] = {}
        self.handlers: Final[Mapping[type[Event], EventHandler]] = MappingProxyType(self._handlers)
        self._batch_handlers: list[HeardBatches] = []
        tables: dict[str, type[Row]] = {}
        for row in self.rows:
            check_message(row)
            if not row_key(row):
                raise DomainError(
                    f"row {row.__name__} of projection {name!r} has no key: mark a field, as in `account: Key[str]`"
                )
            if tables.setdefault(table_name(row), row) is not row:
                raise DomainError(
                    f"rows {tables[table_name(row)].__name__} and {row.__name__} of projection {name!r} are both "
                    f"the table {table_name(row)!r}: give one of them another `name=`"
                )
        self.views: Final = check_each(Join, views, owner, "views")
        self._check_views(set(tables))

    @registers
    def on(self, function: Callable[[Heard, Recorded], Changes], /) -> Callable[[Heard, Recorded], Changes]:
        """Register `(event, recorded) -> changes`; a union of events registers each."""
        register_on(f"projection {self.name!r}", self._handlers, function)
        return function

    @registers
    def batch(self, function: Callable[[Batch[Heard]], None], /) -> Callable[[Batch[Heard]], None]:
        """Register `(batch: Batch[SomeEvent | AnotherEvent]) -> None`, which writes the batch's events with SQL.

        Its result must not depend on where batches end: a rebuild's end elsewhere. See projection-api.md.
        """
        self._batch_handlers.append(read_batch_handler(f"projection {self.name!r}", function))
        return function

    @property
    def batch_handlers(self) -> tuple[HeardBatches, ...]:
        """The handlers of batches, in the order in which they were registered and run."""
        return tuple(self._batch_handlers)

    @property
    def heard_events(self) -> frozenset[type[Event]]:
        """The event classes that any of its handlers hears."""
        return frozenset(self._handlers).union(*(handler.events for handler in self._batch_handlers))

    @registers
    def on_rejected(self, function: RejectionHandler, /) -> RejectionHandler:
        """Register `(rejection: RecordedRejection, recorded: Recorded) -> changes` for business rejections."""
        form = "(rejection: RecordedRejection, recorded: Recorded)"
        owner = f"projection {self.name!r}"
        signature = read_signature(function, owner=owner, form=form, arity=(2,))
        if signature.arguments != (RecordedRejection, Recorded):
            taken = ", ".join(show(argument) for argument in signature.arguments)
            raise DomainError(
                f"{signature.handler} takes ({taken}), and must take {form}. "
                "Rejected[SomeCommand] is what a process manager hears."
            )
        if self.rejection_handler is not None:
            raise DomainError(
                f"rejections have two handlers in {owner}: {where(self.rejection_handler)} and {where(function)}. "
                "Keep one."
            )
        self.rejection_handler = function
        return function

    def _check_views(self, names: set[str]) -> None:
        for join in self.views:
            for row in (join.left, join.right):
                if row not in self.rows:
                    raise DomainError(f"join {join.name!r} is of {row.__name__}: {self.why_undeclared(row)}")
            if join.name in names:
                raise DomainError(
                    f"join {join.name!r} of projection {self.name!r} has the name of another of its tables or views: "
                    "give it one of its own"
                )
            names.add(join.name)

    def why_undeclared(self, row: type[Row]) -> str:
        """What to say of a row type that is written and not among the projection's."""
        rows = ", ".join(known.__name__ for known in (*self.rows, row))
        return f"projection {self.name!r} has no such row. Name it there: `Projection({self.name!r}, rows=[{rows}])`"

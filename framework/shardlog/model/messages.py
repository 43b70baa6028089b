"""What a domain is made of: frozen, keyword-only structs with stable wire names."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeAlias

import msgspec
from typing_extensions import dataclass_transform

from shardlog.errors import DomainError
from shardlog.model.names import snake_case
from shardlog.model.recorded import Position, Recorded, RecordedRejection

__all__ = ["AwareDatetime", "Command", "Event", "Message", "Position", "Recorded", "RecordedRejection", "Row", "State"]

AwareDatetime: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]
"""A field that holds a datetime with its time zone: a command without one is refused as `invalid_command`."""


class _MessageMeta(msgspec.StructMeta):
    """Gives every message its wire name and version, and keeps it frozen and keyword-only."""

    def __new__(
        mcls,
        cls_name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        /,
        *,
        name: str | None = None,
        version: int = 1,
        floats: bool = False,
        **config: Any,
    ) -> Any:
        if config and namespace["__module__"] != __name__:
            raise DomainError(
                f"{cls_name}: {', '.join(f'{key}=' for key in config)} cannot be set: messages are frozen and "
                "keyword-only. A message says name=, version= and floats=, nothing else."
            )
        if version < 1:
            raise DomainError(f"{cls_name}: version={version}, and must be 1 or more")
        namespace["__wire_name__"] = name or snake_case(cls_name)
        namespace["__schema_version__"] = version
        namespace["__floats__"] = floats
        try:
            return super().__new__(mcls, cls_name, bases, namespace, **{**config, "kw_only": True})
        except TypeError as error:
            if "default value" in str(error).lower():
                shown = str(error).partition("(")[2].partition(")")[0]
                raise DomainError(
                    f"{cls_name} has a mutable default ({shown}), which all its instances would share: "
                    "use a tuple or a frozenset."
                ) from error
            raise


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class Message(msgspec.Struct, metaclass=_MessageMeta, frozen=True, kw_only=True, gc=False):
    """Common to states, commands, events and rows: frozen, keyword-only, without cyclic garbage collection.

    Class keywords: `name=` on the wire (default: the class's name in snake case), `version=` of its fields (default 1),
    `floats=True` where fields hold measurements.
    """

    __wire_name__: ClassVar[str]
    __schema_version__: ClassVar[int]
    __floats__: ClassVar[bool]

    if TYPE_CHECKING:

        def __init_subclass__(cls, *, name: str | None = None, version: int = 1, floats: bool = False) -> None: ...


class State(Message):
    """What an aggregate knows about one stream: a pure function of its events.

    >>> from shardlog import State, replace
    >>> class Account(State):
    ...     balance: int = 0
    >>> replace(Account(), balance=5)
    Account(balance=5)
    """


class Command(Message, forbid_unknown_fields=True):
    """What somebody wants. Unknown fields are refused, so that a client's typo is seen. Limits stand here.

    >>> from typing import Annotated
    >>> from shardlog import Command, Meta
    >>> class Deposit(Command):
    ...     amount: Annotated[int, Meta(gt=0)]
    >>> Deposit(amount=5)
    Deposit(amount=5)
    """


class Event(Message):
    """What happened. Unknown fields are ignored, so that old code reads new events.

    >>> from shardlog import Event
    >>> class ItemAdded(Event, version=2):
    ...     sku: str
    >>> ItemAdded.__wire_name__, ItemAdded.__schema_version__
    ('item_added', 2)
    """


class Row(Message):
    """A row that a projection keeps. `name=` is the table; the key's fields are marked `Key[...]`.

    >>> from shardlog import Key, Row
    >>> class Balance(Row, name="balances"):
    ...     account: Key[str]
    ...     balance: int = 0
    >>> Balance(account="acme:a")
    Balance(account='acme:a', balance=0)
    """

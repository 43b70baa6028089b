"""The aggregate: a category of streams, and the pure functions that rule them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Concatenate, Final, Generic, ParamSpec, TypeAlias

import msgspec
from typing_extensions import TypeVar

from shardlog.errors import DomainError, InvalidId
from shardlog.ids import check_stream_id
from shardlog.model import completeness
from shardlog.model.given import check_class, check_name
from shardlog.model.message_checks import check_message
from shardlog.model.messages import Command, Event, Message, State
from shardlog.model.names import closest, show, snake_case
from shardlog.model.registration import (
    Terms,
    check_decide,
    check_evolve,
    check_initial,
    check_is_event,
    check_transaction,
    check_upcast,
)
from shardlog.model.signatures import registers
from shardlog.model.stream import Send, Stream
from shardlog.model.transaction import Transaction
from shardlog.model.vocabulary import Vocabulary
from shardlog.sharding import routing_key

S = TypeVar("S", bound=State)
C = TypeVar("C", bound=Command, default=Command)
E = TypeVar("E", bound=Event, default=Event)
Handled = TypeVar("Handled", bound=Command)
Evolved = TypeVar("Evolved", bound=Event)
Old = TypeVar("Old", bound=Event)
Newer = TypeVar("Newer", bound="Event | Sequence[Event] | None")
P = ParamSpec("P")

DecideFunction: TypeAlias = Callable[..., "Event | Sequence[Event] | None"]
TransactionFunction: TypeAlias = Callable[..., None]
EvolveFunction: TypeAlias = Callable[..., State]
UpcastFunction: TypeAlias = Callable[..., "Event | Sequence[Event] | None"]

_CATEGORY = re.compile(r"[a-z][a-z0-9_]*")


class Decision(msgspec.Struct, frozen=True):
    """A decide function as registered.

    wants_context: it takes (state, command, context). returns: the events that it may return; None where it may return
    nothing.
    """

    function: DecideFunction
    wants_context: bool
    returns: frozenset[type[Event] | None]


class Aggregate(Generic[S, C, E]):
    """A category of streams with one state type.

    category: stable name on the wire, snake case. initial: the state of a stream without events. commands, events: the
    base classes of its messages, so that a type checker refuses another aggregate's. routing_parts: how many leading
    parts of an id (`ledger:account`) choose the shard, from 1; None means the whole id. rejects: the codes that it may
    reject with. Raises DomainError, as all registration does, where something cannot work.

    >>> from shardlog import Aggregate, Command, Event, State, replace
    >>> class Light(State):
    ...     on: bool = False
    >>> class Switch(Command): ...
    >>> class Switched(Event): ...
    >>> light = Aggregate("light", initial=Light())
    >>> @light.decides
    ... def switch(state: Light, command: Switch) -> Switched:
    ...     return Switched()
    >>> @light.evolves
    ... def switched(state: Light, event: Switched) -> Light:
    ...     return replace(state, on=not state.on)
    >>> switched(Light(), Switched())
    Light(on=True)
    """

    def __init__(
        self,
        category: str,
        *,
        initial: S,
        commands: type[C] | None = None,
        events: type[E] | None = None,
        routing_parts: int | None = None,
        rejects: type[StrEnum] | None = None,
    ) -> None:
        check_name("aggregate", category)
        if not _CATEGORY.fullmatch(category):
            near = snake_case(re.sub("[^A-Za-z0-9]", "_", category)).strip("_")
            raise DomainError(f"aggregate {category!r}: a category is snake case, like {near or 'account'!r}")
        owner = f"aggregate {category!r}"
        if routing_parts is not None and (type(routing_parts) is not int or routing_parts < 1):
            raise DomainError(
                f"{owner}: routing_parts={routing_parts!r}, and must be an int, 1 or more; None for the whole id"
            )
        if rejects is not None:
            check_class(StrEnum, rejects, owner, "rejects")
        if commands is not None:
            check_class(Command, commands, owner, "commands")
        if events is not None:
            check_class(Event, events, owner, "events")
        check_initial(category, initial)
        check_message(type(initial))
        self.category: Final = category
        self.initial: Final[S] = initial
        self.routing_parts: Final = routing_parts
        self.rejects: Final = rejects
        self._terms = Terms(category, type(initial), commands or Command, events or Event)
        self._vocabulary = Vocabulary(category, self._terms.events)
        self._decisions: dict[type[Command], Decision] = {}
        self._transactions: dict[type[Command], TransactionFunction] = {}
        self._evolutions: dict[type[Event], EvolveFunction] = {}
        self._upcasters: dict[type[Event], UpcastFunction] = {}
        self._produced: dict[type[Event], str] = {}
        self._successors: dict[type[Event], tuple[type[Event], ...]] = {}
        self.decisions: Final[Mapping[type[Command], Decision]] = MappingProxyType(self._decisions)
        self.transactions: Final[Mapping[type[Command], TransactionFunction]] = MappingProxyType(self._transactions)
        self.evolutions: Final[Mapping[type[Event], EvolveFunction]] = MappingProxyType(self._evolutions)
        self.upcasters: Final[Mapping[type[Event], UpcastFunction]] = MappingProxyType(self._upcasters)
        self.commands_by_name: Final = self._vocabulary.commands
        self.events_by_name: Final = self._vocabulary.events

    # -- registration, each as a decorator ----------------------------------------------------------------------------

    @registers
    def decides(
        self, function: Callable[Concatenate[S, P], E | Sequence[E] | None], /
    ) -> Callable[Concatenate[S, P], E | Sequence[E] | None]:
        """Register `(state, command[, context]) -> event(s)`; the function stays callable."""
        form = check_decide(self._terms, function)
        for event in form.events:
            self._vocabulary.add_event(event, form.handler)
            self._produced.setdefault(event, function.__name__)
        returns = frozenset[type[Event] | None]((*form.events, None) if form.may_be_silent else form.events)
        for command in form.commands:
            self._vocabulary.add_command(command, form.handler)
            self._decisions[command] = Decision(function, form.wants_context, returns)
        return function

    @registers
    def transaction(
        self, function: Callable[[Transaction[S, E], Handled], None], /
    ) -> Callable[[Transaction[S, E], Handled], None]:
        """Register `(tx, command) -> None` for a command that touches several streams of one routing key."""
        handler, commands = check_transaction(self._terms, function)
        for command in commands:
            self._vocabulary.add_command(command, handler)
            self._transactions[command] = function
        return function

    @registers
    def evolves(self, function: Callable[[S, Evolved], S], /) -> Callable[[S, Evolved], S]:
        """Register `(state, event) -> state`; a union of events registers each of them."""
        handler, events = check_evolve(self._terms, function)
        for event in events:
            self._vocabulary.add_event(event, handler)
            completeness.check_one(event, "evolves", self._evolutions.get(event), function, self.category)
            self._evolutions[event] = function
        return function

    def ignores(self, *events: type[E]) -> None:
        """Say that these events are recorded and leave the state as it is."""
        for event in events:
            check_is_event(self._terms, event)
            self._vocabulary.add_event(event, f"ignores() of aggregate {self.category!r}")
            completeness.check_one(event, "evolves", self._evolutions.get(event), _unchanged, self.category)
            self._evolutions[event] = _unchanged

    @registers
    def upcasts(self, function: Callable[[Old], Newer], /) -> Callable[[Old], Newer]:
        """Register `(old_event) -> event(s)`: None drops it, a tuple splits it, another old version goes on."""
        old, events = check_upcast(self._terms, function)
        completeness.check_one(old, "upcasters", self._upcasters.get(old), function, self.category)
        self._vocabulary.add_old_event(old)
        for event in events:
            self._vocabulary.add_old_event(event)
            self._produced.setdefault(event, function.__name__)
        self._upcasters[old] = function
        self._successors[old] = events
        return function

    # -- use ----------------------------------------------------------------------------------------------------------

    def stream(self, id: str) -> Stream[S, C, E]:
        """The address of a stream. Raises InvalidId for an id that could not go into a URL or a topic key."""
        self.check_id(id)
        return Stream(self, id)

    def check_id(self, id: str) -> None:
        """Refuse what is no id of this aggregate. Raises InvalidId."""
        check_stream_id(id, self.category)
        parts = id.count(":") + 1
        if self.routing_parts is not None and parts < self.routing_parts:
            raise InvalidId(
                f"{id!r} has {parts} part(s), and aggregate {self.category!r} routes by the first {self.routing_parts}"
            )

    def send(self, id: str, command: C) -> Send:
        """For process managers: this command to this stream. Raises InvalidId, or DomainError for another's command."""
        self.check_id(id)
        if not isinstance(command, Command):
            is_class = isinstance(command, type)
            hint = f": write `{show(command)}(...)`" if is_class else ""
            raise DomainError(f"aggregate {self.category!r} is sent {show(command)}, which is no command{hint}")
        if self.commands_by_name.get(command.__wire_name__) is not type(command):
            raise DomainError(
                f"aggregate {self.category!r} has no handler for {type(command).__name__}, so nobody can send it there"
                f"{closest(type(command).__name__, [known.__name__ for known in self.commands_by_name.values()])}"
            )
        return Send(self.category, id, command)

    def routing_key(self, id: str) -> str:
        """What chooses the shard of a stream: the first `routing_parts` parts of its id."""
        return routing_key(id, self.routing_parts)

    def problems(self) -> list[str]:
        """What is missing or cannot work; `Domain`, `Application` and the test kit raise all of it at once."""
        return completeness.problems(self, self._produced, self._successors)

    def messages(self) -> tuple[type[Message], ...]:
        """The classes of its state, its events of all versions, and its commands."""
        return (self._terms.state, *self.events_by_name.values(), *self.commands_by_name.values())

    def why_unknown(self, event: type[Event]) -> str:
        """Why an event class may be unknown here, to be put behind a sentence that says that it is."""
        return self._vocabulary.why_unknown(event)


def _unchanged(state: State, event: Event) -> State:
    return state

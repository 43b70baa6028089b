"""Process managers: events, and refusals of what they sent -> commands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, Generic, TypeAlias, TypeVar, get_args, get_origin

import msgspec

from shardlog.errors import DomainError
from shardlog.model.given import check_name
from shardlog.model.listening import register_on
from shardlog.model.messages import Command, Event, Recorded
from shardlog.model.names import show, where
from shardlog.model.signatures import read_signature, registers
from shardlog.model.stream import Send

Heard = TypeVar("Heard", bound=Event)
Refused = TypeVar("Refused", bound=Command)

Sends: TypeAlias = Send | Sequence[Send] | None
"""What a process manager's handler returns: a command on its way, several in order, or nothing."""
SendingHandler: TypeAlias = Callable[..., Sends]


class Rejected(msgspec.Struct, Generic[Refused], frozen=True, kw_only=True):
    """A command that this process manager sent, and that was refused for a business reason.

    category, id: the stream that refused it. code: for programs. message: for people.
    """

    category: str
    id: str
    command: Refused
    code: str
    message: str


class ProcessManager:
    """A route from events to commands, pure and without memory: what a process must remember is an aggregate's state.

    Its handlers run beside the decision whose events they hear, and what they send is recorded with those events. So
    `recorded.position` is None in them.

    >>> from shardlog import Aggregate, Command, Event, ProcessManager, Recorded, Sends, State
    >>> class Bill(State): ...
    >>> class Issue(Command):
    ...     amount: int
    >>> class Issued(Event): ...
    >>> bill = Aggregate("bill", initial=Bill())
    >>> @bill.decides
    ... def issue(state: Bill, command: Issue) -> Issued:
    ...     return Issued()
    >>> class Ordered(Event):
    ...     price: int
    >>> billing = ProcessManager("billing")
    >>> @billing.on
    ... def ordered(event: Ordered, recorded: Recorded) -> Sends:
    ...     return bill.send(recorded.id, Issue(amount=event.price))
    """

    def __init__(self, name: str) -> None:
        check_name("process manager", name)
        self.name: Final = name
        self._handlers: dict[type[Event], SendingHandler] = {}
        self._rejection_handlers: dict[type[Command], SendingHandler] = {}
        self.handlers: Final[Mapping[type[Event], SendingHandler]] = MappingProxyType(self._handlers)
        self.rejection_handlers: Final[Mapping[type[Command], SendingHandler]] = MappingProxyType(
            self._rejection_handlers
        )

    @registers
    def on(self, function: Callable[[Heard, Recorded], Sends], /) -> Callable[[Heard, Recorded], Sends]:
        """Register `(event, recorded) -> sends`; a union of events registers each."""
        register_on(f"process manager {self.name!r}", self._handlers, function)
        return function

    @registers
    def on_rejected(self, function: Callable[[Rejected[Refused]], Sends], /) -> Callable[[Rejected[Refused]], Sends]:
        """Register `(rejected: Rejected[SomeCommand]) -> sends`: what to do when a command it sent is refused."""
        form = "(rejected: Rejected[SomeCommand])"
        owner = f"process manager {self.name!r}"
        signature = read_signature(function, owner=owner, form=form, arity=(1,))
        argument = signature.arguments[0]
        if get_origin(argument) is not Rejected:
            raise DomainError(f"{signature.handler} takes ({show(argument)}), and must take {form}")
        command = get_args(argument)[0]
        if command in self._rejection_handlers:
            first = where(self._rejection_handlers[command])
            raise DomainError(f"Rejected[{show(command)}] has two handlers in {owner}: {first} and {where(function)}.")
        self._rejection_handlers[command] = function
        return function


def as_sends(sends: Sends) -> Sequence[Send]:
    """What a handler returned, as a sequence."""
    if sends is None:
        return ()
    return (sends,) if isinstance(sends, Send) else sends

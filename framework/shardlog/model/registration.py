"""Checks of an aggregate's handlers at the moment that they are registered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args, get_origin

import msgspec

from shardlog.codec.types import union_members
from shardlog.errors import DomainError
from shardlog.model.context import Context
from shardlog.model.messages import Command, Event, State
from shardlog.model.names import show
from shardlog.model.signatures import Signature, argument_events, may_return_nothing, read_signature, returned_types
from shardlog.model.transaction import Transaction


class Terms(msgspec.Struct, frozen=True):
    """What an aggregate's handlers must be about."""

    category: str
    state: type[State]
    commands: type[Command]
    events: type[Event]

    @property
    def owner(self) -> str:
        return f"aggregate {self.category!r}"


class DecideForm(msgspec.Struct, frozen=True):
    """What a decision handles and may return."""

    handler: str
    commands: tuple[type[Command], ...]
    events: tuple[type[Event], ...]
    wants_context: bool
    may_be_silent: bool


def check_initial(category: str, initial: object) -> None:
    """An initial state is a value. Raises DomainError."""
    if isinstance(initial, type) and issubclass(initial, State):
        needed = [field.name for field in msgspec.structs.fields(initial) if field.required]
        hint = f", and give {', '.join(needed)} a default, or a value there" if needed else ""
        raise DomainError(
            f"aggregate {category!r}: initial={initial.__name__} is a class, and must be the state of a stream without "
            f"events: write `initial={initial.__name__}()`{hint}"
        )
    if not isinstance(initial, State):
        raise DomainError(f"aggregate {category!r}: initial={initial!r} is no State: derive its class from State")


def check_is_event(terms: Terms, event: object) -> None:
    """`ignores` takes classes of events. Raises DomainError."""
    if not (isinstance(event, type) and issubclass(event, Event)):
        raise DomainError(
            f"ignores() of {terms.owner} takes classes of events, as in `ignores(Deposited)`, and got {show(event)}"
        )


def check_decide(terms: Terms, function: Callable[..., object]) -> DecideForm:
    """`(state, command[, context]) -> event(s)`. Raises DomainError."""
    form = "(state, command) or (state, command, context)"
    signature = read_signature(function, owner=terms.owner, form=form, arity=(2, 3))
    _check_state(terms, signature)
    wants_context = len(signature.names) == 3
    if wants_context and signature.arguments[2] is not Context:
        raise DomainError(
            f"{signature.handler}: its third argument {signature.names[2]!r} is {show(signature.arguments[2])}, "
            "and can only be Context"
        )
    events = tuple(returned_types(signature.returns))
    if not events:
        raise DomainError(
            f"{signature.handler} is annotated to return {show(signature.returns)}: name the events it may "
            "return, as in `-> Deposited`, `-> Deposited | None`, `-> tuple[Withdrawn, Flagged]`"
        )
    _check_returns_events(signature, events)
    commands = _argument_commands(terms, signature)
    return DecideForm(signature.handler, commands, events, wants_context, may_return_nothing(signature.returns))


def check_transaction(terms: Terms, function: Callable[..., object]) -> tuple[str, tuple[type[Command], ...]]:
    """`(tx, command) -> None`: the handler's name for people, and its commands. Raises DomainError."""
    signature = read_signature(function, owner=terms.owner, form="(tx, command)", arity=(2,))
    wanted = (terms.state, terms.events)
    first = signature.arguments[0]
    if get_origin(first) is not Transaction or get_args(first) != wanted:
        raise DomainError(
            f"{signature.handler}: its first argument {signature.names[0]!r} is {show(first)}, "
            f"and must be Transaction[{', '.join(show(argument) for argument in wanted)}]"
        )
    if signature.returns is not type(None):
        raise DomainError(
            f"{signature.handler} is annotated to return {show(signature.returns)}: a transaction returns None, "
            "and appends events to the streams it has loaded"
        )
    return signature.handler, _argument_commands(terms, signature)


def check_evolve(terms: Terms, function: Callable[..., object]) -> tuple[str, tuple[type[Event], ...]]:
    """`(state, event) -> state`: the handler's name for people, and its events. Raises DomainError."""
    signature = read_signature(function, owner=terms.owner, form="(state, event)", arity=(2,))
    _check_state(terms, signature)
    if signature.returns is not terms.state:
        raise DomainError(
            f"{signature.handler} returns {show(signature.returns)}, and must return the next {terms.state.__name__}"
        )
    return signature.handler, argument_events(signature, 1)


def check_upcast(terms: Terms, function: Callable[..., object]) -> tuple[type[Event], tuple[type[Event], ...]]:
    """`(old) -> event(s)`: the old class, and what becomes of it. Raises DomainError."""
    signature = read_signature(function, owner=terms.owner, form="(old)", arity=(1,))
    old = signature.arguments[0]
    if not (isinstance(old, type) and issubclass(old, Event)):
        raise DomainError(
            f"{signature.handler}: argument {signature.names[0]!r} is {show(old)}, and must be one old event's class"
        )
    events = tuple(returned_types(signature.returns))
    _check_returns_events(signature, events)
    return old, events


def _check_state(terms: Terms, signature: Signature) -> None:
    first = signature.arguments[0]
    if first is not terms.state:
        swapped = " Are the arguments swapped?" if terms.state in signature.arguments[1:] else ""
        raise DomainError(
            f"{signature.handler}: its first argument {signature.names[0]!r} is {show(first)}, "
            f"and must be the state, {terms.state.__name__}.{swapped}"
        )


def _argument_commands(terms: Terms, signature: Signature) -> tuple[type[Command], ...]:
    commands = union_members(signature.arguments[1])
    for command in commands:
        if not (isinstance(command, type) and issubclass(command, terms.commands)):
            raise DomainError(
                f"{signature.handler}: argument {signature.names[1]!r} is {show(command)}, "
                f"and must be of the family {terms.commands.__name__}"
            )
    return commands


def _check_returns_events(signature: Signature, returned: tuple[Any, ...]) -> None:
    for event in returned:
        if not (isinstance(event, type) and issubclass(event, Event)):
            is_command = isinstance(event, type) and issubclass(event, Command)
            hint = " A decision cannot send commands; a process manager does." if is_command else ""
            raise DomainError(f"{signature.handler} returns {show(event)}, which is not an event.{hint}")

"""What projections and process managers have in common: handlers `(event, recorded)`, found by annotation."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import TypeVar

from shardlog.errors import DomainError
from shardlog.model.messages import Event, Recorded
from shardlog.model.names import show, where
from shardlog.model.signatures import argument_events, read_signature

F = TypeVar("F", bound=Callable[..., object])


def register_on(owner: str, handlers: MutableMapping[type[Event], F], function: F) -> None:
    """Enter `(event, recorded)` for each event class that its first argument names. Raises DomainError."""
    form = "(event: SomeEvent, recorded: Recorded)"
    signature = read_signature(function, owner=owner, form=form, arity=(2,))
    if signature.arguments[1] is not Recorded:
        raise DomainError(
            f"{signature.handler}: its second argument {signature.names[1]!r} is {show(signature.arguments[1])}, "
            "and must be Recorded"
        )
    for event in argument_events(signature):
        if event in handlers:
            raise DomainError(
                f"{event.__name__} has two handlers in {owner}: {where(handlers[event])} and {where(function)}. "
                "Keep one; it may return several."
            )
        handlers[event] = function

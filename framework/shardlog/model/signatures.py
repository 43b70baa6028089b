"""Reading a handler's signature: handlers are found by their annotations, so all of them must be there."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, get_args, get_origin, get_type_hints

import msgspec

from shardlog.codec.types import union_members
from shardlog.errors import DomainError
from shardlog.model.messages import Event
from shardlog.model.names import show, where


class Signature(msgspec.Struct, frozen=True):
    """A handler's arguments and return value, resolved.

    handler: what to call it in messages, as in `deposit (banking.py:23) of aggregate 'account'`.
    """

    handler: str
    names: tuple[str, ...]
    arguments: tuple[Any, ...]
    returns: Any


def read_signature(
    function: Callable[..., object],
    *,
    owner: str,
    form: str,
    arity: tuple[int, ...],
    local: Mapping[str, object],
) -> Signature:
    """Resolve a handler's annotations. Raises DomainError where it cannot be a handler of this form.

    form: what it must take, for people. local: names of the block that it is defined in.
    """
    handler = f"{where(function)} of {owner}"
    names = tuple(inspect.signature(function).parameters)
    if len(names) not in arity:
        raise DomainError(f"{handler} takes ({', '.join(names)}), and must take {form}")
    try:
        hints = get_type_hints(function, localns=dict(local))
    except NameError as error:
        raise DomainError(
            f"{handler}: {error}. Handlers are found by their annotations: "
            "import the name outside `if TYPE_CHECKING`, above the handler."
        ) from error
    for name in (*names, "return"):
        if name not in hints:
            what = "its return value" if name == "return" else f"argument {name!r}"
            raise DomainError(
                f"{handler}: {what} has no annotation. Handlers are found by their annotations; they must take {form}."
            )
    return Signature(handler, names, tuple(hints[name] for name in names), hints["return"])


def argument_events(signature: Signature, place: int = 0) -> tuple[type[Event], ...]:
    """The event classes that an argument names, one or a union. Raises DomainError for anything else."""
    for event in union_members(signature.arguments[place]):
        if not (isinstance(event, type) and issubclass(event, Event)):
            raise DomainError(
                f"{signature.handler}: argument {signature.names[place]!r} is {show(event)}, and must be an event"
            )
    return union_members(signature.arguments[place])


def returned_types(annotation: Any) -> Iterator[Any]:
    """What a return annotation names, without None and inside tuples and sequences."""
    for member in union_members(annotation):
        if member is None or member is type(None):
            continue
        if _is_sequence(member):
            for argument in get_args(member):
                if argument is not Ellipsis:
                    yield from returned_types(argument)
        else:
            yield member


def may_return_nothing(annotation: Any) -> bool:
    """Whether None, or a sequence that can be empty, is among what a return annotation allows."""
    return any(member in (None, type(None)) or _is_sequence(member) for member in union_members(annotation))


def _is_sequence(annotation: Any) -> bool:
    origin = get_origin(annotation)
    return isinstance(origin, type) and issubclass(origin, Sequence)

"""Reading a handler's signature: handlers are found by their annotations, so all of them must be there."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

import msgspec

from shardlog.codec.types import union_members
from shardlog.errors import DomainError
from shardlog.model.messages import Event
from shardlog.model.names import show, where

M = TypeVar("M", bound=Callable[..., object])
_HERE = f"{__package__}."


class Signature(msgspec.Struct, frozen=True):
    """A handler's arguments and return value, resolved.

    handler: what to call it in messages, as in `deposit (banking.py:23) of aggregate 'account'`.
    """

    handler: str
    names: tuple[str, ...]
    arguments: tuple[Any, ...]
    returns: Any


def registers(method: M) -> M:
    """Make a method a decorator that says so where it is given anything but a function.

    The method's object has a `category` or a `name`.
    """

    @functools.wraps(method)
    def checked(self: Any, *functions: Any) -> object:
        if len(functions) == 1 and callable(functions[0]) and not isinstance(functions[0], type):
            return method(self, functions[0])
        owner = getattr(self, "category", None) or self.name
        got = ", ".join(map(show, functions)) or "nothing"
        raise DomainError(
            f"@{owner}.{method.__name__} registers a function, and got {got}: write `@{owner}.{method.__name__}`, "
            "without parentheses, on the line above its `def`"
        )

    return cast("M", checked)


def local_names() -> Mapping[str, object]:
    """The names of the block that a handler is being registered in: the nearest one outside of this package."""
    frame = sys._getframe(1)
    while str(frame.f_globals.get("__name__")).startswith(_HERE) and frame.f_back is not None:
        frame = frame.f_back
    return frame.f_locals


def read_signature(
    function: Callable[..., object],
    *,
    owner: str,
    form: str,
    arity: tuple[int, ...],
) -> Signature:
    """Resolve a handler's annotations. Raises DomainError where it cannot be a handler of this form.

    form: what it must take, for people.
    """
    handler = f"{where(function)} of {owner}"
    names = tuple(inspect.signature(function).parameters)
    if len(names) not in arity:
        raise DomainError(f"{handler} takes ({', '.join(names)}), and must take {form}")
    try:
        hints = get_type_hints(function, localns=dict(local_names()))
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

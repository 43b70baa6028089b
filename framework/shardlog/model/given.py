"""What the author gives to a domain, a projection or an application: of the right kind, or refused in plain words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar, cast

from shardlog.errors import DomainError
from shardlog.model.names import show

T = TypeVar("T")

_PLACES = {
    "Aggregate": "Domain(..., aggregates=[...])",
    "ProcessManager": "Domain(..., process_managers=[...])",
    "Domain": "Application([...])",
    "Projection": "Application(..., projections=[...])",
    "Join": "Projection(..., views=[...])",
}
"""Where each kind of part belongs."""


def check_name(kind: str, name: object) -> None:
    """A name is a text. Raises DomainError."""
    if not isinstance(name, str) or not name:
        raise DomainError(f"{kind} {_described(name)}: its first argument is its name, a str that is not empty")


def check_each(kind: type[T], given: object, owner: str, argument: str) -> tuple[T, ...]:
    """All that was given, each an instance of kind. Raises DomainError."""
    parts = _parts(given, owner, argument, kind.__name__)
    for part in parts:
        if not isinstance(part, kind):
            raise DomainError(
                f"{owner}: {argument} has {_described(part)}, and takes {kind.__name__} only{_hint(part)}"
            )
    return cast("tuple[T, ...]", parts)


def check_each_class(kind: type[T], given: object, owner: str, argument: str) -> tuple[type[T], ...]:
    """All that was given, each a class derived from kind. Raises DomainError."""
    parts = _parts(given, owner, argument, f"classes derived from {kind.__name__}")
    for part in parts:
        if not _is_class_of(kind, part):
            raise DomainError(
                f"{owner}: {argument} has {_described(part)}, and takes classes derived from {kind.__name__} only"
                f"{_hint(part)}"
            )
    return cast("tuple[type[T], ...]", parts)


def check_class(kind: type, given: object, owner: str, argument: str) -> None:
    """A class derived from kind. Raises DomainError."""
    if not _is_class_of(kind, given):
        raise DomainError(
            f"{owner}: {argument} is {_described(given)}, and must be a class derived from {kind.__name__}"
        )


def _is_class_of(kind: type, given: object) -> bool:
    """Whether it is kind or a class derived from it."""
    return isinstance(given, type) and issubclass(given, kind)


def _parts(given: object, owner: str, argument: str, wanted: str) -> tuple[object, ...]:
    if isinstance(given, Iterable) and not isinstance(given, str | bytes):
        return tuple(given)
    raise DomainError(
        f"{owner}: {argument} is {_described(given)}, and must be a list of {wanted}: write `{argument}=[...]`"
    )


def _hint(part: object) -> str:
    place = _PLACES.get(type(part).__name__)
    return f": it belongs in `{place}`" if place else ""


def _described(value: object) -> str:
    """`Aggregate 'book'`, `the class Book`, `5 of type int`."""
    if value is None:
        return "None"
    if isinstance(value, type):
        return f"the class {show(value)}"
    if type(value).__name__ in _PLACES:
        name: object = getattr(value, "category", None) or getattr(value, "name", None)
        return f"{type(value).__name__} {name!r}"
    return f"{value!r} of type {type(value).__name__}"

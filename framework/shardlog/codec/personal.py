"""Values about a person: opaque to decisions, shown to readers, gone when their key is destroyed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Generic, TypeVar

from shardlog.errors import DomainError

T = TypeVar("T")

_sealed: ContextVar[bool] = ContextVar("shardlog_personal_sealed", default=False)


@contextmanager
def personal_sealed() -> Iterator[None]:
    """Within this block, in this thread or task, a `Personal` value can be passed on and not be looked into.

    Whoever runs decide, evolve and process managers enters it, once for any number of commands.
    """
    token = _sealed.set(True)
    try:
        yield
    finally:
        _sealed.reset(token)


class Personal(Generic[T]):
    """A value about a person. It is hidden from logs, and erased when the key of its subject is destroyed.

    Decisions, evolves and process managers pass it on unseen, since what they decide must be the same after an erasure;
    projections reveal it. `reveal()` is None after erasure, so a type checker makes the handler say what happens then.

    >>> from shardlog import Personal
    >>> email = Personal("ada@example.org")
    >>> email
    Personal(<hidden>)
    >>> email.reveal()
    'ada@example.org'
    >>> Personal[str](None).reveal_or("(erased)")
    '(erased)'
    """

    __slots__ = ("_value",)

    def __init__(self, value: T | None) -> None:
        self._value = value

    @property
    def erased(self) -> bool:
        """Whether the value is gone. Raises DomainError where `reveal` does."""
        _must_not_be_sealed("erased")
        return self._value is None

    def reveal(self) -> T | None:
        """The value, None after erasure. Raises DomainError within decide, evolve and process managers."""
        _must_not_be_sealed("reveal()")
        return self._value

    def reveal_or(self, default: T) -> T:
        """The value, `default` after erasure. Raises DomainError where `reveal` does."""
        _must_not_be_sealed("reveal_or()")
        return default if self._value is None else self._value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Personal) and bool(self._value == other._value)

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return "Personal(<erased>)" if self._value is None else "Personal(<hidden>)"


def content(personal: Personal[T]) -> T | None:
    """What the codec writes: the value, None where it is erased. Not for handlers: it does not ask who reads."""
    return personal._value


def _must_not_be_sealed(what: str) -> None:
    if _sealed.get():
        raise DomainError(
            f"Personal.{what} was read inside a decide, an evolve or a process manager: the value can be erased, and "
            "replay must give the same answer afterwards. Pass the Personal value on as it is and reveal it in a "
            "projection; what a decision needs to know goes into a field of its own."
        )

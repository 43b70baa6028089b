"""Whether a message type survives the journal: checked when a handler that names it is registered."""

from __future__ import annotations

import dataclasses
import functools
from collections import abc
from collections.abc import Iterator
from typing import Any, get_args, get_type_hints, is_typeddict

import msgspec

from shardlog.codec.personal import Personal
from shardlog.codec.types import bare, custom_types, walk
from shardlog.errors import DomainError
from shardlog.model.messages import Event, Message

_MUTABLE = {
    list: "tuple[X, ...]",
    abc.Sequence: "tuple[X, ...]",
    abc.MutableSequence: "tuple[X, ...]",
    dict: "Mapping[K, V]",
    abc.MutableMapping: "Mapping[K, V]",
    set: "frozenset[X]",
    abc.Set: "frozenset[X]",
    abc.MutableSet: "frozenset[X]",
    bytearray: "bytes",
}
_LIMITS = ("gt", "ge", "lt", "le", "multiple_of", "pattern", "min_length", "max_length")


@functools.cache
def check_message(cls: type[Message]) -> None:
    """Refuse a message type that would not come back from the journal as it went. Raises DomainError."""
    for where, annotation in _annotations(cls):
        _check_mutability(where, annotation)
        _check_float(where, annotation, cls)
        _check_is_typed(where, annotation)
        if issubclass(cls, Event):
            _check_no_limit(where, annotation)
    _check_json(cls)


@functools.cache
def holds_personal(cls: type[Message]) -> bool:
    """Whether a value about a person stands anywhere in this message type."""
    return any(bare(annotation) is Personal for _, annotation in _annotations(cls))


def _annotations(cls: type[Message]) -> Iterator[tuple[str, Any]]:
    try:
        hints = get_type_hints(cls, include_extras=True)
        for field in cls.__struct_fields__:
            for annotation in walk(hints[field]):
                yield f"{cls.__qualname__}.{field}", annotation
    except NameError as error:
        raise DomainError(
            f"{cls.__qualname__}: {error}. Define or import it at module level, above the handlers."
        ) from error


def _check_mutability(where: str, annotation: Any) -> None:
    found = bare(annotation)
    if found in _MUTABLE:
        raise DomainError(
            f"{where} is a {found.__name__}, which can be changed in place: a change made by a command that is then "
            f"rejected would stay. Annotate it {_MUTABLE[found]}."
        )
    if not isinstance(found, type):
        return
    is_loose_struct = issubclass(found, msgspec.Struct) and not found.__struct_config__.frozen
    if is_loose_struct or dataclasses.is_dataclass(found) or is_typeddict(found):
        raise DomainError(
            f"{where} holds {found.__name__}, which can be changed in place: "
            f"make it `class {found.__name__}(msgspec.Struct, frozen=True)`."
        )


def _check_float(where: str, annotation: Any, cls: type[Message]) -> None:
    if bare(annotation) is float and not cls.__floats__:
        raise DomainError(
            f"{where} is a float: 0.1 + 0.2 is not 0.3, and nan has no JSON form. For money use int in minor units "
            f"(cents) or Decimal; for a measurement say `class {cls.__name__}(..., floats=True)`."
        )


def _check_is_typed(where: str, annotation: Any) -> None:
    if bare(annotation) in (Any, object):
        raise DomainError(
            f"{where} is {bare(annotation).__name__}: say its type, so that the journal can be read back."
        )


def _check_no_limit(where: str, annotation: Any) -> None:
    for meta in getattr(annotation, "__metadata__", ()):
        if isinstance(meta, msgspec.Meta) and any(getattr(meta, limit) is not None for limit in _LIMITS):
            raise DomainError(
                f"{where} has a limit ({meta}): an event has happened and must always be readable, "
                "a limit would stop the shard on replay. Put the limit on the command."
            )


def _check_json(cls: type[Message]) -> None:
    try:
        unknown = [custom for custom in custom_types(cls) if custom is not Personal]
    except TypeError as error:
        raise DomainError(f"{cls.__qualname__}: {error}") from error
    for field in cls.__struct_fields__:
        hint = get_type_hints(cls)[field]
        if bare(hint) is Personal and get_args(hint):
            unknown += [custom for custom in custom_types(get_args(hint)[0]) if custom is not Personal]
    if unknown:
        raise DomainError(
            f"{cls.__qualname__} holds {unknown[0].__name__}, which has no JSON form. Use str, int, bool, Decimal, "
            "datetime, date, UUID, Enum, a struct, or tuples and Mappings of these."
        )

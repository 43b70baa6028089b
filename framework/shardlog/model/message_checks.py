"""Whether a message type survives the journal: checked when a handler that names it is registered."""

from __future__ import annotations

import dataclasses
import functools
import typing
from collections import abc
from collections.abc import Iterator
from typing import Any, get_type_hints, is_typeddict

import msgspec
from msgspec import inspect

from shardlog.codec.personal import Personal
from shardlog.codec.types import bare, descriptions, walk
from shardlog.errors import DomainError
from shardlog.model.messages import Event, Message

_MUTABLE = {
    list: "tuple[X, ...]",
    abc.Sequence: "tuple[X, ...]",
    abc.MutableSequence: "tuple[X, ...]",
    dict: "Mapping[str, X]",
    abc.MutableMapping: "Mapping[str, X]",
    set: "frozenset[X]",
    abc.Set: "frozenset[X]",
    abc.MutableSet: "frozenset[X]",
    bytearray: "bytes",
}
_UNSAID = {
    tuple: "tuple[X, ...]",
    frozenset: "frozenset[X]",
    abc.Mapping: "Mapping[str, X]",
    typing.Mapping: "Mapping[str, X]",  # users may write it
}
_ORDERED = (
    inspect.BoolType,
    inspect.IntType,
    inspect.FloatType,
    inspect.StrType,
    inspect.BytesType,
    inspect.DecimalType,
    inspect.UUIDType,
    inspect.DateTimeType,
    inspect.DateType,
    inspect.TimeType,
    inspect.TimeDeltaType,
)
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
    _check_form(cls)


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
    if annotation in _UNSAID:
        raise DomainError(f"{where} is a {bare(annotation).__name__} of anything: annotate it {_UNSAID[annotation]}.")
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


def _check_form(cls: type[Message]) -> None:
    """What msgspec writes must be what it reads back."""
    hints = get_type_hints(cls, include_extras=True)
    try:
        for name in cls.__struct_fields__:
            for part in descriptions(hints[name]):
                _check_known(f"{cls.__qualname__}.{name}", part)
                _check_keys(f"{cls.__qualname__}.{name}", part)
                _check_time_zone(f"{cls.__qualname__}.{name}", part)
                _check_set(f"{cls.__qualname__}.{name}", part)
    except TypeError as error:
        raise DomainError(f"{cls.__qualname__}: {error}") from error


def _check_known(where: str, part: inspect.Type) -> None:
    if isinstance(part, inspect.CustomType) and bare(part.cls) is not Personal:
        raise DomainError(
            f"{where} holds {bare(part.cls).__name__}, which has no JSON form. Use str, int, bool, Decimal, "
            "AwareDatetime, date, UUID, Enum, a struct, or tuples and Mappings of these."
        )


def _check_keys(where: str, part: inspect.Type) -> None:
    if isinstance(part, inspect.DictType) and not _is_text(part.key_type):
        raise DomainError(
            f"{where} is a Mapping whose keys are {_shown(part.key_type)}: keys are text in JSON, and are sorted as "
            "text. Write `Mapping[str, ...]`, or a tuple of structs."
        )


def _check_set(where: str, part: inspect.Type) -> None:
    if isinstance(part, inspect.FrozenSetType) and not _has_order(part.item_type):
        raise DomainError(
            f"{where} is a frozenset of {_shown(part.item_type)}, and these have no order: a set is written sorted, so "
            "that equal values give equal bytes. Use text, numbers, times, UUIDs, StrEnum or tuples of these; else a "
            "tuple, or a Mapping by key."
        )


def _has_order(info: inspect.Type) -> bool:
    """Whether any two values of the type compare."""
    match info:
        case inspect.EnumType():
            return issubclass(info.cls, (str, int))
        case inspect.LiteralType():
            return len({type(value) for value in info.values}) == 1
        case inspect.TupleType():
            return all(map(_has_order, info.item_types))
        case inspect.VarTupleType():
            return _has_order(info.item_type)
        case inspect.Metadata():
            return _has_order(info.type)
        case _:
            return isinstance(info, _ORDERED)


def _is_text(info: inspect.Type) -> bool:
    match info:
        case inspect.StrType():
            return True
        case inspect.EnumType():
            return issubclass(info.cls, str)
        case inspect.LiteralType():
            return all(isinstance(value, str) for value in info.values)
        case inspect.Metadata():
            return _is_text(info.type)
        case _:
            return False


def _shown(info: inspect.Type) -> str:
    """`int` of IntType, the class's name of an enum."""
    return info.cls.__name__ if isinstance(info, inspect.EnumType) else type(info).__name__.removesuffix("Type").lower()


def _check_time_zone(where: str, part: inspect.Type) -> None:
    if isinstance(part, inspect.DateTimeType) and not part.tz:
        raise DomainError(
            f"{where} is a datetime that may lack its time zone, and would be another instant on another host: "
            "annotate it AwareDatetime, as in `from shardlog import AwareDatetime`."
        )

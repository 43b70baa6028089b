"""Walking through types: what stands inside an annotation, and inside the structs that it names."""

from __future__ import annotations

import types
from collections.abc import Iterator
from functools import lru_cache
from typing import Annotated, Any, Literal, NewType, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import inspect

from shardlog.codec.personal import Personal


def union_members(annotation: Any) -> tuple[Any, ...]:
    """The members of a union; the annotation itself where it is none."""
    if get_origin(annotation) in (Union, types.UnionType):
        return get_args(annotation)
    return (annotation,)


def bare(annotation: Any) -> Any:
    """The class behind an annotation: `tuple` of `tuple[int, ...]`; the annotation itself where there is none."""
    return get_origin(annotation) or annotation


def without_none(annotation: Any) -> tuple[Any, bool]:
    """What an annotation says besides None, without `Annotated`, and whether None is allowed."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    members = union_members(annotation)
    rest = tuple(member for member in members if member is not type(None))
    if len(rest) == 1 and len(members) > 1:
        return without_none(rest[0])[0], True
    return annotation, len(rest) < len(members)


def walk(annotation: Any) -> Iterator[Any]:
    """The annotation and all that it is made of, into the fields of structs and named tuples; each class once."""
    return _walk(annotation, set())


@lru_cache(maxsize=4_096)
def is_recursive(annotation: Any) -> bool:
    """Whether a struct or a named tuple in it holds itself, however far down: its values nest to any depth."""
    return _leads_back(annotation, frozenset(), set())


def _walk(annotation: Any, seen: set[Any]) -> Iterator[Any]:
    yield annotation
    for argument in _arguments(annotation):
        yield from _walk(argument, seen)
    found = bare(annotation)
    if found not in seen and _has_fields(found):
        seen.add(found)
        for hint in get_type_hints(found, include_extras=True).values():
            yield from _walk(hint, seen)


def _leads_back(annotation: Any, above: frozenset[Any], cleared: set[Any]) -> bool:
    """above: the classes that this annotation stands in. cleared: those known to lead back to none."""
    if any(_leads_back(argument, above, cleared) for argument in _arguments(annotation)):
        return True
    found = bare(annotation)
    if not _has_fields(found) or found in cleared:
        return False
    if found in above:
        return True
    hints = get_type_hints(found, include_extras=True).values()
    leads_back = any(_leads_back(hint, above | {found}, cleared) for hint in hints)
    if not leads_back:
        cleared.add(found)
    return leads_back


def _arguments(annotation: Any) -> tuple[Any, ...]:
    """What an annotation says in brackets, or a NewType stands for: types only, no limits, no literals, no dots."""
    if isinstance(annotation, NewType):
        return (annotation.__supertype__,)
    origin = get_origin(annotation)
    if origin is Literal:
        return ()
    arguments = get_args(annotation)
    return arguments[:1] if origin is Annotated else tuple(a for a in arguments if a is not Ellipsis)


def _has_fields(found: Any) -> bool:
    return isinstance(found, type) and (issubclass(found, msgspec.Struct) or hasattr(found, "_fields"))


def descriptions(annotation: Any) -> Iterator[inspect.Type]:
    """What msgspec says about a type and about all that stands inside it, `Personal` values too.

    Raises TypeError for what msgspec cannot describe.
    """
    yield from _descriptions(inspect.type_info(annotation))
    for found in walk(annotation):
        if bare(found) is Personal:
            for argument in get_args(found):
                yield from _descriptions(inspect.type_info(argument))


def _descriptions(info: inspect.Type) -> Iterator[inspect.Type]:
    """A recursive type's description holds itself."""
    stack: list[object] = [info]
    seen: set[int] = set()
    while stack:
        found = stack.pop()
        if id(found) in seen:
            continue
        seen.add(id(found))
        if isinstance(found, inspect.Type):
            yield found
        for name in getattr(found, "__struct_fields__", ()):
            value: object = getattr(found, name)
            children = value if isinstance(value, tuple) else (value,)
            stack.extend(c for c in children if isinstance(c, (inspect.Type, inspect.Field)))

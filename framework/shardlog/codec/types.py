"""Walking through types: what stands inside an annotation, and inside the structs that it names."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec


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
    """The annotation and all that it is made of, into the fields of structs; each struct once."""
    return _walk(annotation, set())


def _walk(annotation: Any, seen: set[Any]) -> Iterator[Any]:
    yield annotation
    if get_origin(annotation) is Annotated:
        yield from _walk(get_args(annotation)[0], seen)
        return
    for argument in get_args(annotation):
        if argument is not Ellipsis:
            yield from _walk(argument, seen)
    found = bare(annotation)
    if isinstance(found, type) and issubclass(found, msgspec.Struct) and found not in seen:
        seen.add(found)
        for hint in get_type_hints(found, include_extras=True).values():
            yield from _walk(hint, seen)


def custom_types(root: Any) -> Iterator[type]:
    """The classes in a type that msgspec leaves to hooks. Raises TypeError for what msgspec cannot describe."""
    stack: list[object] = [msgspec.inspect.type_info(root)]
    seen: set[int] = set()
    while stack:
        info = stack.pop()
        if id(info) in seen:
            continue
        seen.add(id(info))
        if isinstance(info, msgspec.inspect.CustomType):
            yield bare(info.cls)
        for name in getattr(info, "__struct_fields__", ()):
            value: object = getattr(info, name)
            children = value if isinstance(value, tuple) else (value,)
            stack.extend(c for c in children if isinstance(c, (msgspec.inspect.Type, msgspec.inspect.Field)))

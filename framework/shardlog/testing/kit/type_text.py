"""Types as a contract holds them: what stands on the wire, as text, whatever the classes are called."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any, Literal, NewType, get_args, get_origin, get_type_hints

import msgspec

from shardlog.codec.types import bare, union_members

_LIMITS = ("gt", "ge", "lt", "le", "multiple_of", "pattern", "min_length", "max_length", "tz")
HAS_DEFAULT = " = ..."
"""Behind the type of a field that may be absent, as in a stub file."""


def field_types(struct: type[msgspec.Struct]) -> dict[str, str]:
    """The fields by their names on the wire, each with its type: `{"amount": "int", "note": "str | None = ..."}`."""
    return _fields(struct, frozenset())


def reads(new: str, old: str) -> bool:
    """Whether a field of type `new` surely takes every value of type `old`: the same, or one with more alternatives.

    >>> from shardlog.testing.kit.type_text import reads
    >>> reads("int | None = ...", "int"), reads("int", "int (gt=0)"), reads("str", "int"), reads("int", "int = ...")
    (True, True, False, False)
    """
    if old.endswith(HAS_DEFAULT) and not new.endswith(HAS_DEFAULT):
        return False
    members = _members(new.removesuffix(HAS_DEFAULT))
    return all(
        any(one == other or one.startswith(f"{other} (") for other in members)
        for one in _members(old.removesuffix(HAS_DEFAULT))
    )


def _fields(struct: type[Any], above: frozenset[Any]) -> dict[str, str]:
    hints = get_type_hints(struct, include_extras=True)
    return {
        field.encode_name: _text(hints[field.name], above | {struct}) + ("" if field.required else HAS_DEFAULT)
        for field in msgspec.structs.fields(struct)
    }


def _text(annotation: Any, above: frozenset[Any]) -> str:
    if get_origin(annotation) is Annotated:
        return _text(get_args(annotation)[0], above) + _limits(annotation)
    if isinstance(annotation, NewType):
        return _text(annotation.__supertype__, above)
    members = union_members(annotation)
    if len(members) > 1:
        return " | ".join(_text(member, above) for member in members)
    if get_origin(annotation) is Literal:
        return " | ".join(map(repr, get_args(annotation)))
    found = bare(annotation)
    if isinstance(found, type) and issubclass(found, Enum):
        return " | ".join(repr(member.value) for member in found)
    if isinstance(found, type) and issubclass(found, msgspec.Struct):
        return (found.__name__ if found in above else _struct(found, above)) + _arguments(annotation, above)
    name = "None" if found is type(None) else getattr(found, "__name__", str(found))
    return name + _arguments(annotation, above)


def _struct(struct: type[msgspec.Struct], above: frozenset[Any]) -> str:
    """`{street: str, zip: str | None = ...}`; its tag first, and `[...]` where it is an array."""
    config = struct.__struct_config__
    fields = [f"{name}: {text}" for name, text in _fields(struct, above).items()]
    if config.tag is not None:
        fields.insert(0, f"{config.tag_field}: {config.tag!r}")
    return f"[{', '.join(fields)}]" if config.array_like else f"{{{', '.join(fields)}}}"


def _arguments(annotation: Any, above: frozenset[Any]) -> str:
    arguments = ("..." if argument is Ellipsis else _text(argument, above) for argument in get_args(annotation))
    return f"[{', '.join(arguments)}]" if get_args(annotation) else ""


def _limits(annotation: Any) -> str:
    limits = [
        f"{name}={getattr(meta, name)!r}"
        for meta in annotation.__metadata__
        if isinstance(meta, msgspec.Meta)
        for name in _LIMITS
        if getattr(meta, name) is not None
    ]
    return f" ({', '.join(limits)})" if limits else ""


def _members(text: str) -> list[str]:
    """The alternatives of a type's text: `a | b`, but not those inside brackets."""
    members, depth, start = [], 0, 0
    for place, character in enumerate(text):
        depth += (character in "[{(") - (character in ")}]")
        if depth == 0 and text.startswith(" | ", place):
            members.append(text[start:place])
            start = place + len(" | ")
    return [*members, text[start:]]

"""Of what the Personal values in an annotation are: msgspec describes them without it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, NewType, get_args, get_origin

from shardlog.codec.personal import Personal
from shardlog.codec.types import bare


def personals_in(annotation: Any) -> Iterator[Any]:
    """Each `Personal[...]` in the order in which it stands there; not those within structs that it names."""
    if isinstance(annotation, NewType):
        yield from personals_in(annotation.__supertype__)
    elif bare(annotation) is Personal:
        if get_args(annotation):
            yield annotation
    elif get_origin(annotation) is Annotated:
        yield from personals_in(get_args(annotation)[0])
    elif get_origin(annotation) is not Literal:
        for argument in get_args(annotation):
            yield from personals_in(argument)

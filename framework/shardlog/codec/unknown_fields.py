"""A field that a message's type does not know: which of its fields was probably meant.

Looked up only when a message was refused, so that what is taken costs nothing more.
"""

from __future__ import annotations

import difflib
import re
from functools import lru_cache

from msgspec import inspect

NAME_CHARACTERS_MAX = 64
"""A longer name is compared with nothing: whoever sends it decides how long that would take."""
_unknown_field = re.compile(r"Object contains unknown field `(?P<name>.*?)`(?: - at `\$(?P<place>.*)`)?\Z", re.S).match
_steps = re.compile(r"\.([^.\[]+)|\[([^\]]*)\]").findall


def with_near_field(error: Exception, type: type) -> str:
    """The error's text; for a field that `type` does not know, with the one that is near, or with those there are.

    The text alone for any other error, for a name of more than 64 characters, and where several types could have been
    meant.

    >>> import msgspec
    >>> from shardlog.codec.unknown_fields import with_near_field
    >>> class Deposit(msgspec.Struct, forbid_unknown_fields=True):
    ...     amount: int
    >>> try:
    ...     msgspec.json.decode(b'{"amout":5}', type=Deposit)
    ... except msgspec.ValidationError as error:
    ...     print(with_near_field(error, Deposit))
    Object contains unknown field `amout`; did you mean 'amount'?
    """
    match = _unknown_field(str(error))
    if match is None or len(match["name"]) > NAME_CHARACTERS_MAX:
        return str(error)
    found = _struct_at(_type_info(type), match["place"] or "")
    if found is None:
        return str(error)
    known = [field.encode_name for field in found.fields]
    near = difflib.get_close_matches(match["name"], known, n=1)
    if near:
        return f"{error}; did you mean {near[0]!r}?"
    return f"{error}; there are: {', '.join(known)}" if known else f"{error}; there are none"


@lru_cache(maxsize=256)
def _type_info(type: type) -> inspect.Type:
    return inspect.type_info(type)


def _struct_at(type: inspect.Type, place: str) -> inspect.StructType | None:
    """What stands at a place such as `.items[0]`, where it can be one type only."""
    for name, index in _steps(place):
        inner = _inner(_only(type), name, index)
        if inner is None:
            return None
        type = inner
    found = _only(type)
    return found if isinstance(found, inspect.StructType) else None


def _inner(type: inspect.Type, name: str, index: str) -> inspect.Type | None:
    if isinstance(type, inspect.StructType):
        return next((field.type for field in type.fields if field.encode_name == name), None)
    if isinstance(type, inspect.TupleType):
        return type.item_types[int(index)] if index.isdigit() and int(index) < len(type.item_types) else None
    if isinstance(type, inspect.VarTupleType | inspect.ListType | inspect.SetType | inspect.FrozenSetType):
        return type.item_type
    return type.value_type if isinstance(type, inspect.DictType) else None


def _only(type: inspect.Type) -> inspect.Type:
    """Without its None and without what is noted beside it."""
    if isinstance(type, inspect.Metadata):
        return _only(type.type)
    if isinstance(type, inspect.UnionType):
        inner = [one for one in type.types if not isinstance(one, inspect.NoneType)]
        return _only(inner[0]) if len(inner) == 1 else type
    return type

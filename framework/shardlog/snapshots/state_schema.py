"""The state schema: a digest of a state type, so that a snapshot of another type is never taken for one of this."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, get_args, get_origin

import msgspec

from shardlog.codec.json import encode


def state_schema(initial: msgspec.Struct) -> str:
    """blake2b-128, in hex, of a state type and of the state that streams begin with.

    It covers names, order, types, limits and defaults of the fields, and of the structs and enums in them. It does not
    cover where a class stands, so moving it to another module changes nothing.
    """
    described = _Description().of(msgspec.inspect.type_info(type(initial)))
    return blake2b(encode((described, initial)), digest_size=16).hexdigest()


class _Description:
    """A type as plain values. A struct is described once, so that a recursive one ends."""

    def __init__(self) -> None:
        self._seen: set[type] = set()

    def of(self, value: Any) -> Any:
        if isinstance(value, type):
            return self._class(value)
        if isinstance(value, msgspec.inspect.Type | msgspec.inspect.Field):
            return self._node(value)
        if isinstance(value, tuple | list):
            return [self.of(item) for item in value]
        if isinstance(value, Mapping):
            return {str(name): self.of(item) for name, item in value.items()}
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if get_origin(value) is not None:
            return [self.of(get_origin(value)), self.of(get_args(value))]
        if value is msgspec.NODEFAULT or value is msgspec.UNSET:
            return repr(value)
        return self._default(value)

    def _class(self, cls: type) -> Any:
        if issubclass(cls, enum.Enum):
            return [cls.__qualname__, {name: self.of(member.value) for name, member in cls.__members__.items()}]
        return cls.__qualname__

    def _node(self, node: Any) -> Any:
        cls = getattr(node, "cls", None)
        if isinstance(cls, type) and hasattr(node, "fields"):
            if cls in self._seen:
                return cls.__qualname__
            self._seen.add(cls)
        return {"": type(node).__name__, **{name: self.of(getattr(node, name)) for name in node.__struct_fields__}}

    def _default(self, value: Any) -> Any:
        """The default of a field, or what makes it."""
        if callable(value):
            return getattr(value, "__qualname__", type(value).__qualname__)
        try:
            return encode(value).decode()
        except (TypeError, NotImplementedError):
            return type(value).__qualname__

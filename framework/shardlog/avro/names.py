"""What a message is called in Avro: its record, its namespace, its file. Made of wire names, never of import paths."""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

import msgspec

from shardlog.errors import DomainError
from shardlog.model.messages import Event, Message

Kind: TypeAlias = Literal["commands", "events"]

_PARTS = re.compile(r"[A-Za-z0-9]+")
_is_name = re.compile(r"[A-Za-z_][A-Za-z0-9_]*").fullmatch


class MessageName(msgspec.Struct, frozen=True, order=True):
    """A command or an event of one version. name: on the wire.

    >>> name = MessageName("account", "events", "daily_limit_changed", 1)
    >>> name.fullname, name.path
    ('account.events.DailyLimitChangedV1', 'account/events/DailyLimitChanged.v1.avsc')
    """

    category: str
    kind: Kind
    name: str
    version: int

    def __str__(self) -> str:
        return f"{self.kind[:-1]} {self.category}/{self.name}/{self.version}"

    @property
    def record(self) -> str:
        """The record's name, its version at the end: two versions are two types to every reader."""
        return f"{self._camel}V{self.version}"

    @property
    def namespace(self) -> str:
        """The record's namespace."""
        return f"{self.category}.{self.kind}"

    @property
    def inner_namespace(self) -> str:
        """Where the types inside it have their names: no two messages share one, so none depends on another."""
        words = "_".join(_PARTS.findall(self.name)).lower()
        return f"{self.namespace}.{words}_v{self.version}"

    @property
    def fullname(self) -> str:
        """The record's name with its namespace."""
        return f"{self.namespace}.{self.record}"

    @property
    def path(self) -> str:
        """The schema's file, within the folder of schemas."""
        return f"{self.category}/{self.kind}/{self._camel}.v{self.version}.avsc"

    @property
    def _camel(self) -> str:
        return "".join(part[0].upper() + part[1:] for part in _PARTS.findall(self.name))


def name_of(category: str, message: type[Message]) -> MessageName:
    """What this class is called as a message of the category. Raises DomainError for a name that Avro cannot have."""
    kind: Kind = "events" if issubclass(message, Event) else "commands"
    name = MessageName(category, kind, message.__wire_name__, message.__schema_version__)
    check_avro_name(name.record, f"{name} ({message.__qualname__})", 'Give the class `name="..."`')
    return name


def check_avro_name(name: str, where: str, remedy: str) -> str:
    """The name itself, where Avro can have it. Raises DomainError."""
    if _is_name(name) is None:
        raise DomainError(
            f"{where}: {name!r} is no name in Avro, which takes A-Z a-z 0-9 _ and no digit in front. {remedy} of these."
        )
    return name


def is_avro_name(name: str) -> bool:
    """Whether Avro can have this as the name of a type, a field or a symbol."""
    return _is_name(name) is not None

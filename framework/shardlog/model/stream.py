"""Addresses: a stream of an aggregate, and a command on its way to one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Generic, TypeAlias

import msgspec
from typing_extensions import TypeVar

from shardlog.ids import FIELD_PATTERN, STREAM_ID_CHARACTERS_MAX
from shardlog.model.messages import Command, Event, State

if TYPE_CHECKING:
    from shardlog.model.aggregate import Aggregate

S = TypeVar("S", bound=State)
C = TypeVar("C", bound=Command, default=Command)
E = TypeVar("E", bound=Event, default=Event)

StreamId: TypeAlias = Annotated[str, msgspec.Meta(pattern=FIELD_PATTERN, max_length=STREAM_ID_CHARACTERS_MAX)]
"""A field of a command that names a stream: what is no id is refused as `invalid_command`."""


class Stream(msgspec.Struct, Generic[S, C, E], frozen=True):
    """The address of one stream: `account.stream("acme:001")`."""

    aggregate: Aggregate[S, C, E]
    id: str

    @property
    def routing_key(self) -> str:
        """What chooses the shard: the first `routing_parts` parts of the id."""
        return self.aggregate.routing_key(self.id)

    def __str__(self) -> str:
        return f"{self.aggregate.category}/{self.id}"


class Send(msgspec.Struct, frozen=True):
    """A command on its way to a stream: what a process manager returns, made by `aggregate.send(id, command)`."""

    category: str
    id: str
    command: Command

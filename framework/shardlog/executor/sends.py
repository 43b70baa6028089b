"""Sends: the commands of process managers and forwarded records, as they stand in frames (rule D3).

A send is decided once, in the frame; its place is (epoch, seq, number). `previous` names the send before it from this
shard to the same target, so that the target sees a gap.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, auto
from typing import Any, TypeAlias

import msgspec

from shardlog.codec.json import encode
from shardlog.errors import DomainError, EngineRejection
from shardlog.executor.addresses import check_address
from shardlog.executor.nesting import is_nested_deeper
from shardlog.executor.registry import Registry
from shardlog.journal.records import Origin
from shardlog.model.messages import Command
from shardlog.model.stream import Send
from shardlog.ports.sends import At
from shardlog.sharding import routing_key, shard_of

SendTuple: TypeAlias = tuple[str, str, str, str, msgspec.Raw, int, At | None]


class Arrival(Enum):
    """What a command with an origin is, by the place of its send."""

    NEW = auto()
    REPEAT = auto()
    GAP = auto()


def arrival(origin: Origin, last: At | None) -> Arrival:
    """Compare a send with the last one taken from its source shard."""
    if last is not None and (origin.epoch, origin.seq, origin.number) <= last:
        return Arrival.REPEAT
    previous = None if origin.previous is None else tuple(origin.previous)
    return Arrival.NEW if previous is None or (last is not None and previous <= last) else Arrival.GAP


class Outbox:
    """The sends of one entry, collected before anything is written."""

    __slots__ = ("_epoch", "_nesting_max", "_number", "_registry", "_sent", "_seq", "_shards", "moves", "records")

    def __init__(
        self,
        registry: Registry,
        shards: int,
        nesting_max: int,
        sent: dict[int, At],
        epoch: int,
        seq: int,
        number: int,
    ) -> None:
        self._registry = registry
        self._shards = shards
        self._nesting_max = nesting_max
        self._sent = sent
        self._epoch = epoch
        self._seq = seq
        self._number = number
        self.moves: dict[int, At] = {}
        self.records: list[SendTuple] = []

    def take(self, manager: str, sends: Send | Iterable[Send] | None) -> None:
        """What a manager's handler returned. Raises DomainError for what cannot be sent."""
        for send in () if sends is None else (sends,) if isinstance(sends, Send) else sends:
            category = self._registry.categories.get(send.category)
            if category is None:
                raise DomainError(
                    f"process manager {manager!r} sends {type(send.command).__name__} to {send.category}/{send.id}, "
                    f"and no aggregate of this application has the category {send.category!r}"
                )
            try:
                check_address(category, send.id)
            except EngineRejection as refusal:
                raise DomainError(f"process manager {manager!r} sends to {send.category!r}: {refusal}") from refusal
            target = shard_of(routing_key(send.id, category.routing_parts), self._shards)
            payload = msgspec.Raw(encode(_checked(manager, send.command)))
            if is_nested_deeper(payload, self._nesting_max):
                raise DomainError(
                    f"process manager {manager!r} sends {type(send.command).__name__} nested more than "
                    f"{self._nesting_max} levels deep (nesting_max)"
                )
            name = type(send.command).__wire_name__
            self.records.append((manager, send.category, send.id, name, payload, target, self.place(target)))

    def place(self, target: int) -> At | None:
        """Take the next place towards a shard; returns the place of the send before it."""
        previous = self.moves.get(target, self._sent.get(target))
        self.moves[target] = (self._epoch, self._seq, self._number)
        self._number += 1
        return previous


def _checked(manager: str, command: Any) -> Command:
    if not isinstance(command, Command):
        raise DomainError(f"process manager {manager!r} sends {command!r}, which is no command")
    return command

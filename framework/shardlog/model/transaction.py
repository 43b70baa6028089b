"""Several streams of one routing key, all or nothing: what a transaction function is given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from typing_extensions import TypeVar

from shardlog.model.context import Context
from shardlog.model.messages import Command, Event, State
from shardlog.model.stream import Stream

S_co = TypeVar("S_co", bound=State, covariant=True)
E_contra = TypeVar("E_contra", bound=Event, contravariant=True)
S = TypeVar("S", bound=State)
C = TypeVar("C", bound=Command)
E = TypeVar("E", bound=Event)


class Loaded(Protocol[S_co, E_contra]):
    """A stream inside a transaction. `state` and `version` follow what was appended."""

    @property
    def id(self) -> str: ...

    @property
    def state(self) -> S_co: ...

    @property
    def version(self) -> int: ...

    def append(self, events: E_contra | Sequence[E_contra] | None, /) -> None:
        """Record the events on this stream if the whole transaction succeeds. None appends nothing."""
        ...


class Transaction(Protocol[S_co, E_contra]):
    """What a transaction function takes: `def transfer(tx: Transaction[Account, AccountEvent], command: Transfer)`."""

    @property
    def own(self) -> Loaded[S_co, E_contra]:
        """The stream that the command was sent to."""
        ...

    @property
    def context(self) -> Context: ...

    def load(self, stream: Stream[S, C, E], /) -> Loaded[S, E]:
        """Another stream of the same routing key, as often as wanted. Rejects with `other_routing_key` otherwise."""
        ...

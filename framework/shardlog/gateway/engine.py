"""What the gateway asks of whoever serves the shards and keeps the tables: two small interfaces, filled by wiring."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import msgspec

from shardlog.executor.requests import Waiting


class Engine(ABC):
    """The shards."""

    @abstractmethod
    def submit(self, waiting: Waiting, /) -> None:
        """Hand a command or a read to the shard of its stream; the answer goes to its sink. It returns at once."""

    @abstractmethod
    def modes(self) -> Mapping[int, str]:
        """By shard, where it is on its way: `serving`, or what it does instead."""


class ProjectionStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One projection.

    lag: by shard's number, records of the journal that it has still to read. stopped: why it works no more, None while
    it does. dead_letters: events that it could not handle, and those that wait behind them.
    """

    name: str
    version: int
    tables: tuple[str, ...]
    lag: Mapping[str, int]
    stopped: str | None
    dead_letters: int


class Tables(ABC):
    """The projections. Its methods read files, so they are called outside of the event loop."""

    @property
    @abstractmethod
    def journal(self) -> str:
        """The id of the journal that they are built from."""

    @abstractmethod
    def status(self) -> Sequence[ProjectionStatus]:
        """All projections, by name."""

    @abstractmethod
    def positions(self, name: str) -> Mapping[int, int]:
        """By shard, the first offset that the projection has not read. Raises KeyError for an unknown name."""

    @abstractmethod
    def is_paused(self, name: str) -> bool:
        """Whether somebody told those who keep it to wait. Raises KeyError for an unknown name."""

    @abstractmethod
    def rows(self, name: str, table: str, limit: int) -> Sequence[Mapping[str, object]]:
        """The first rows of one of its tables in the order of its key. Raises KeyError for an unknown table."""

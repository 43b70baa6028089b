"""The port of scratch places: a store that is filled once, and then tables that are only read."""

from __future__ import annotations

from abc import ABC, abstractmethod

from shardlog.ports.projections import ProjectionStore
from shardlog.ports.tables import Tables


class Scratch(ABC):
    """A place of its own for tables that are built to be looked at."""

    @property
    @abstractmethod
    def store(self) -> ProjectionStore:
        """An empty store. It is of no use once the place is finished."""

    @abstractmethod
    def finished(self) -> Tables:
        """What was built, without all that would let a projector go on from it: it holds a part of the journal, and
        a projector would take it for the whole. From now on the tables stay, where that was asked for."""

    @abstractmethod
    def close(self) -> None:
        """Delete what is not to stay, and free connections. Idempotent."""

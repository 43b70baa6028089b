"""What the query API asks of the journal: where it ends, and how long a record has waited. Filled by wiring."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

from shardlog.ports.reading import ReadTo


class JournalEnds(ABC):
    """The ends of one journal's shards. Its methods ask files or brokers: they are called outside of the event loop."""

    @abstractmethod
    def ends(self) -> Mapping[int, int]:
        """By shard, the offset behind its last record; empty where the journal cannot be asked at present."""

    @abstractmethod
    def waited_s(self, place: ReadTo) -> float | None:
        """How long the first frame that was not read yet is in the journal; 0 where there is none, None where that
        cannot be said at present."""

"""The port of leases: which member of a group serves which shards of a name, for as long as it says that it lives.

A lease spares work that somebody else does already; it proves nothing. What two members write at once is settled where
it is written, by the checkpoint (rule C1). All times are of one clock, the store's own, so that no member's matters.
Every adapter passes `shardlog.testing.contracts.leases`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from typing import NamedTuple


class Seen(NamedTuple):
    """A group at one moment, by the names that were asked for.

    members: who lives and serves the name, in order. held: by shard, who holds its lease, if one holds.
    """

    members: Mapping[str, tuple[str, ...]]
    held: Mapping[str, Mapping[int, str]]


class Leases(ABC):
    """Members that live, and the leases that they hold, by name and shard.

    member: unique to one run of one process. name: what is served, such as a build of a projection. lives_ms: above 0.
    Every method raises StoreUnavailable where trying again may help, and StoreFailed where it does not.
    """

    @abstractmethod
    def look(self, member: str, names: Collection[str], lives_ms: int) -> Seen:
        """Say that this member lives for so long and serves these names and no others, and see the group."""

    @abstractmethod
    def take(self, member: str, wanted: Mapping[str, Collection[int]], lives_ms: int) -> Mapping[str, frozenset[int]]:
        """Hold the leases of these shards, by name, for so long from now, and no others.

        What it holds is renewed, what nobody holds is taken, what it does not want is given back. Returns what it
        holds now; a shard whose lease another member holds is not among it.
        """

    @abstractmethod
    def release(self, member: str) -> None:
        """Give all leases back, and be no member any more. Nothing happens for one that is none."""

    @abstractmethod
    def close(self) -> None:
        """Free connections; what is held stays held until it runs out. Idempotent."""

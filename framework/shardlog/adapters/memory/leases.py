"""Leases in memory: members are threads, or objects, of one process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

from shardlog.ports.leases import Leases, Seen


class _Lease(NamedTuple):
    owner: str
    until_s: float


class MemoryLeases(Leases):
    """One group; all members use the same object, from any thread. monotonic_s: its clock."""

    def __init__(self, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._now = monotonic_s
        self._lock = threading.Lock()
        self._members: dict[tuple[str, str], float] = {}
        self._leases: dict[tuple[str, int], _Lease] = {}

    def look(self, member: str, names: Collection[str], lives_ms: int) -> Seen:
        """Say that this member lives, and see the group."""
        with self._lock:
            now = self._forget_what_ran_out()
            self._members = {key: until for key, until in self._members.items() if key[1] != member}
            self._members.update({(name, member): now + lives_ms / 1000 for name in names})
            return Seen(
                {name: tuple(sorted(who for known, who in self._members if known == name)) for name in names},
                {
                    name: {shard: lease.owner for (known, shard), lease in self._leases.items() if known == name}
                    for name in names
                },
            )

    def take(self, member: str, wanted: Mapping[str, Collection[int]], lives_ms: int) -> Mapping[str, frozenset[int]]:
        """Hold the leases of these shards, and no others."""
        keys = {(name, shard) for name, shards in wanted.items() for shard in shards}
        with self._lock:
            now = self._forget_what_ran_out()
            for key in [key for key, lease in self._leases.items() if lease.owner == member and key not in keys]:
                del self._leases[key]
            for key in keys:
                if key not in self._leases or self._leases[key].owner == member:
                    self._leases[key] = _Lease(member, now + lives_ms / 1000)
            return {
                name: frozenset(shard for shard in shards if self._leases[name, shard].owner == member)
                for name, shards in wanted.items()
            }

    def release(self, member: str) -> None:
        """Give all leases back, and be no member any more."""
        with self._lock:
            self._members = {key: until for key, until in self._members.items() if key[1] != member}
            self._leases = {key: lease for key, lease in self._leases.items() if lease.owner != member}

    def close(self) -> None:
        """Nothing is to be freed."""

    def _forget_what_ran_out(self) -> float:
        now = self._now()
        self._members = {key: until for key, until in self._members.items() if until > now}
        self._leases = {key: lease for key, lease in self._leases.items() if lease.until_s > now}
        return now

"""Sends on their way, kept in memory until their targets have received them: written by one thread, read by others."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from threading import Lock
from typing import NamedTuple

from shardlog.ports.sends import At
from shardlog.relay.core import Forward, UnderWay

_at = attrgetter("at")


class Size(NamedTuple):
    """How much is held of a source shard. bytes: of commands' records; a forward counts once it was fetched."""

    sends: int
    bytes: int


class Ready(NamedTuple):
    """A send that its target can take. source: the shard that decided it. record: the command's record."""

    source: int
    at: At
    record: bytes


class Held:
    """A queue for each target and source, in the order in which the sends were decided."""

    def __init__(self, shards: int) -> None:
        self._queues: list[dict[int, list[UnderWay]]] = [{} for _ in range(shards)]
        self._forwards: dict[int, dict[int, deque[UnderWay]]] = {}
        self._sizes = [Size(0, 0)] * shards
        self._turn = 0
        self._lock = Lock()

    @property
    def sends(self) -> int:
        """How many are held in all."""
        return sum(size.sends for size in self._sizes)

    def size(self, source: int) -> Size:
        """What is held of a source shard."""
        return self._sizes[source]

    def put(self, source: int, sends: Iterable[UnderWay]) -> None:
        """Hold these, which come after all that is held of this source."""
        with self._lock:
            for send in sends:
                self._queues[send.target].setdefault(source, []).append(send)
                self._resize(source, 1, _bytes(send))
                if isinstance(send.content, Forward):
                    self._forwards.setdefault(source, {}).setdefault(send.target, deque()).append(send)

    def drop(self, target: int, received: Mapping[int, At]) -> None:
        """The target has received these, by source shard the last one, in frames that are acknowledged."""
        queues = self._queues[target]
        if not queues:
            return
        with self._lock:
            for source in list(queues):
                last = received.get(source)
                queue = queues[source]
                if last is None or queue[0].at > last:
                    continue
                count = bisect_right(queue, last, key=_at)
                self._resize(source, -count, -sum(map(_bytes, queue[:count])))
                del queue[:count]
                if not queue:
                    del queues[source]
                forwards = self._forwards.get(source, {}).get(target, ())
                while forwards and forwards[0].at <= last:
                    self._fetched_first(source, target)

    def waiting(self, target: int, received: Mapping[int, At], limit: int) -> Sequence[bytes]:
        """Up to `limit` records behind what was received; the sources take turns in being the first."""
        return [record for _, _, record in self.ready(target, received, limit)] if self._queues[target] else ()

    def ready(self, target: int, received: Mapping[int, At], limit: int) -> Sequence[Ready]:
        """As `waiting`, with where each stands."""
        queues = self._queues[target]
        if not queues:
            return ()
        found: list[Ready] = []
        with self._lock:
            self._turn += 1
            sources = sorted(queues)  # none any more, where they were received since the look without the lock
            first = self._turn % max(1, len(sources))
            for source in sources[first:] + sources[:first]:
                queue, last = queues[source], received.get(source)
                start = 0 if last is None else bisect_right(queue, last, key=_at)
                for send in queue[start : start + limit - len(found)]:
                    if isinstance(send.content, Forward):
                        break  # it is not fetched yet, and what is behind it would be a gap
                    found.append(Ready(source, send.at, send.content))
        return found

    def forwards(self, source: int) -> Mapping[int, UnderWay]:
        """By target, the next send of a source whose bytes are not fetched yet."""
        return {target: forwards[0] for target, forwards in self._forwards.get(source, {}).items()}

    def is_first(self, source: int, send: UnderWay) -> bool:
        """Whether nothing that is held of its source stands before it on the way to its target."""
        return self._queues[send.target][source][0].at == send.at

    def fetched(self, source: int, send: UnderWay, record: bytes) -> None:
        """The bytes of the next one of `forwards` are there."""
        with self._lock:
            queue = self._queues[send.target][source]
            queue[bisect_right(queue, send.at, key=_at) - 1] = send._replace(content=record)
            self._resize(source, 0, len(record))
            self._fetched_first(source, send.target)

    def _fetched_first(self, source: int, target: int) -> None:
        """The next forward is none any more."""
        by_target = self._forwards[source]
        by_target[target].popleft()
        if not by_target[target]:
            del by_target[target]

    def _resize(self, source: int, sends: int, size: int) -> None:
        held = self._sizes[source]
        self._sizes[source] = Size(held.sends + sends, held.bytes + size)


def _bytes(send: UnderWay) -> int:
    return 0 if isinstance(send.content, Forward) else len(send.content)

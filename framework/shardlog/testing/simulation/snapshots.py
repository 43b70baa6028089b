"""Snapshots as one process makes them: an object store that fails, is torn and rots, and work that others overtake."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from shardlog.adapters.memory.objects import MemoryObjects
from shardlog.errors import ObjectStoreFailed, SnapshotFailed
from shardlog.executor.background import Background
from shardlog.ports.objects import ObjectStore, StoredObject
from shardlog.snapshots.settings import SnapshotSettings
from shardlog.testing.simulation.crashing import CrashPoints
from shardlog.testing.simulation.environment import Environment

SETTINGS = SnapshotSettings(every_bytes=3_000, every_ms=300, keep=2, share_percent=100, retry_ms=20)
"""Often, and without rests, which would be in true time."""


class ProcessObjects(ObjectStore):
    """The object store as one process has it.

    meanwhile: what else this process does while a value is on its way; False where the work is to be given up.
    """

    def __init__(self, environment: Environment, crashes: CrashPoints, meanwhile: Callable[[], bool]) -> None:
        self._environment = environment
        self._crashes = crashes
        self._meanwhile = meanwhile
        self._objects = MemoryObjects(environment.objects)

    def put(self, key: str, chunks: Iterable[bytes]) -> None:
        self._crashes.reach("before an object is put")
        self._may_fail(key)
        self._objects.put(key, self._slowly(chunks))
        self._environment.trace.note("objects", None, "hold %s", key)
        self._crashes.reach("after an object was put")
        self._may_fail(key)

    def get(self, key: str) -> Iterator[bytes]:
        self._crashes.reach("before a read of an object")
        self._may_fail(key)
        return self._objects.get(key)

    def list(self, prefix: str) -> list[StoredObject]:
        self._crashes.reach("before a list of objects")
        self._may_fail(prefix)
        return self._objects.list(prefix)

    def delete(self, key: str) -> None:
        self._crashes.reach("before an object is deleted")
        self._may_fail(key)
        self._objects.delete(key)

    def close(self) -> None:
        """Nothing to free."""

    def _slowly(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The chunks, and the rest of the process gets its turn before each."""
        pulled = iter(chunks)
        while True:
            if not self._meanwhile():
                raise SnapshotFailed("the snapshot was given up: the shard stops")
            chunk = next(pulled, None)
            if chunk is None:
                return
            self._crashes.reach("before a chunk of an object")
            yield chunk

    def _may_fail(self, key: str) -> None:
        if self._environment.happens(self._environment.faults.object_error):
            raise ObjectStoreFailed(f"{key}: the object store does not answer")


class ProcessBackground(Background):
    """The one place in the background of a process. shard: of the work that waits there."""

    def __init__(self) -> None:
        self._is_taken = False
        self.work: Callable[[], None] | None = None

    def take(self) -> bool:
        if self._is_taken:
            return False
        self._is_taken = True
        return True

    def give_back(self) -> None:
        self._is_taken = False

    def run(self, work: Callable[[], None]) -> None:
        self.work = work

    def do(self) -> None:
        """Do the work that waits."""
        work, self.work = self.work, None
        try:
            if work is not None:
                work()
        finally:
            self._is_taken = False

    def drop(self) -> None:
        """The work that waits is not wanted any more."""
        self.work = None
        self._is_taken = False

"""Snapshots of a process's shards: one object store, one place in the background, one who begins them a shard."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, wait

from shardlog.executor.background import BackgroundThread
from shardlog.executor.clock import World
from shardlog.executor.core import ExecutorCore
from shardlog.executor.snapshotting import Snapshotting
from shardlog.journal.writer import JournalWriter
from shardlog.model.application import Application
from shardlog.ports.objects import ObjectStore
from shardlog.snapshots.keys import SnapshotKey
from shardlog.snapshots.settings import SnapshotSettings
from shardlog.snapshots.store import ShardSnapshots

CLOSE_SECONDS = 10.0
"""How long a snapshot that is given up may take to end."""


class ProcessSnapshots:
    """What every shard of this process makes snapshots with. code: the code digest."""

    def __init__(self, objects: ObjectStore, settings: SnapshotSettings, world: World, code: str) -> None:
        self._objects = objects
        self._settings = settings
        self._world = world
        self._code = code
        self._background = BackgroundThread()

    def of(self, application: Application, core: ExecutorCore, writer: JournalWriter) -> Snapshotting:
        """One shard's."""
        snapshots = shard_snapshots(
            self._objects, application, core.shard.journal, core.shard.number, self._settings.keep
        )
        return Snapshotting(core, writer, snapshots, self._settings, self._background, self._world, self._code)

    def close(self) -> None:
        """Wait for what is written now, which ends soon once its shard has stopped; let go of the store."""
        self._background.join(CLOSE_SECONDS)
        self._objects.close()


def shard_snapshots(
    objects: ObjectStore, application: Application, journal: str, shard: int, keep: int = 2
) -> ShardSnapshots:
    """One shard's snapshots as an application reads them: to list, open, check and keep them."""
    initial = {name: aggregate.initial for name, aggregate in application.aggregates.items()}
    return ShardSnapshots(objects, journal, shard, initial, keep)


def wait_for_snapshots(ask: list[Callable[[], Future[SnapshotKey]]], timeout_s: float) -> list[SnapshotKey]:
    """Ask for all, wait for all. Raises SnapshotFailed for the first that was not made, TimeoutError."""
    asked = [each() for each in ask]
    if wait(asked, timeout_s).not_done:
        raise TimeoutError(f"the snapshots were not written within {timeout_s} s: they may be yet")
    return [each.result() for each in asked]

"""What snapshots a journal directory holds: their manifests, without the domain's code, and one of them, with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from shardlog.adapters.filesystem.objects import FilesystemObjects
from shardlog.errors import SnapshotUnusable
from shardlog.model.application import Application
from shardlog.snapshots.keys import SnapshotKey
from shardlog.snapshots.manifest import Manifest
from shardlog.snapshots.reading import Snapshot
from shardlog.snapshots.store import ShardSnapshots
from shardlog.wiring.snapshotting import shard_snapshots

FOLDER = "snapshots"


def manifests(directory: Path, journal: str, shards: int) -> Mapping[int, Sequence[Manifest]]:
    """By shard, newest first. Those whose manifest is damaged are left out. Raises ObjectStoreFailed."""
    folder = directory / FOLDER
    if not folder.is_dir():
        return dict.fromkeys(range(shards), ())
    objects = FilesystemObjects(folder)
    try:
        return {shard: _of(ShardSnapshots(objects, journal, shard, {})) for shard in range(shards)}
    finally:
        objects.close()


def _of(snapshots: ShardSnapshots) -> Sequence[Manifest]:
    found: list[Manifest] = []
    for key in snapshots.candidates():
        try:
            found.append(snapshots.manifest(key))
        except SnapshotUnusable:
            continue  # `verify` names it, and a recovery says so in the log
    return found


@contextmanager
def open_snapshot(directory: Path, application: Application, key: SnapshotKey) -> Iterator[Snapshot]:
    """One of them, to be read with the application's types. Raises SnapshotUnusable."""
    objects = FilesystemObjects(directory / FOLDER)
    try:
        yield shard_snapshots(objects, application, key.journal, key.shard).open(key)
    finally:
        objects.close()

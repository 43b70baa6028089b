"""A shard's snapshots, read back as a recovery would: those that a replay can begin at, and the others."""

from __future__ import annotations

from typing import NamedTuple

from shardlog.adapters.filesystem.objects import FilesystemObjects
from shardlog.errors import SnapshotUnusable
from shardlog.model.application import Application
from shardlog.snapshots.keys import SnapshotKey
from shardlog.snapshots.manifest import Manifest
from shardlog.snapshots.store import ShardSnapshots
from shardlog.wiring.reading import OpenJournal
from shardlog.wiring.snapshots_read import FOLDER
from shardlog.wiring.snapshotting import shard_snapshots


class CheckedSnapshots(NamedTuple):
    """manifests: of those that hold, oldest first. left_out: why this code cannot read others. damaged: what is wrong
    with the rest."""

    manifests: list[Manifest]
    left_out: list[str]
    damaged: list[str]


def checked_snapshots(opened: OpenJournal, application: Application, shard: int) -> CheckedSnapshots:
    """Read each of them back. Raises ObjectStoreFailed."""
    folder = opened.directory / FOLDER
    found = CheckedSnapshots([], [], [])
    if not folder.is_dir():
        return found
    objects = FilesystemObjects(folder)
    try:
        snapshots = shard_snapshots(objects, application, opened.meta.journal, shard)
        for key in snapshots.candidates():
            _look_at(snapshots, key, found)
    finally:
        objects.close()
    found.manifests.reverse()
    return found


def _look_at(snapshots: ShardSnapshots, key: SnapshotKey, found: CheckedSnapshots) -> None:
    try:
        manifest = snapshots.manifest(key)
    except SnapshotUnusable as error:
        found.damaged.append(str(error))
        return
    try:
        snapshot = snapshots.open(key)
    except SnapshotUnusable as error:
        found.left_out.append(str(error))
        return
    try:
        snapshot.check()
    except SnapshotUnusable as error:
        found.damaged.append(str(error))
        return
    found.manifests.append(manifest)

"""What snapshots a journal directory holds, by their manifests: nothing of the domain's code is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from shardlog.adapters.filesystem.objects import FilesystemObjects
from shardlog.errors import SnapshotUnusable
from shardlog.snapshots.manifest import Manifest
from shardlog.snapshots.store import ShardSnapshots

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

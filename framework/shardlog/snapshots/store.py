"""The snapshots of one shard in an object store: which there are, which may be loaded, which are kept."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from shardlog.errors import ObjectMissing, SnapshotFailed, SnapshotUnusable
from shardlog.ports.objects import ObjectStore
from shardlog.snapshots.keys import MANIFEST, SnapshotKey, parse_key, shard_prefix
from shardlog.snapshots.manifest import Manifest, decode_manifest
from shardlog.snapshots.pace import Pace
from shardlog.snapshots.reading import Snapshot
from shardlog.snapshots.state_schema import state_schema
from shardlog.snapshots.writing import Contents, write_snapshot

log = logging.getLogger("shardlog.snapshots")


class ShardSnapshots:
    """One shard's snapshots. initial: the state that streams of each category begin with, which says its type.

    keep: how many are kept, from 1. Methods raise ObjectStoreFailed where the store does not answer.
    """

    def __init__(
        self, objects: ObjectStore, journal: str, shard: int, initial: Mapping[str, msgspec.Struct], keep: int = 2
    ) -> None:
        self.journal = journal
        self.shard = shard
        self.schemas = {category: state_schema(state) for category, state in initial.items()}
        self._types: dict[str, type[Any]] = {category: type(state) for category, state in initial.items()}
        self._objects = objects
        self._keep = keep
        self._unusable: set[SnapshotKey] = set()

    # -- looking -------------------------------------------------------------------------------------------------------
    def newest_first(self) -> list[SnapshotKey]:
        """The keys of all that have a manifest."""
        return _newest_first(self._find().manifests)

    def open(self, key: SnapshotKey) -> Snapshot:
        """A snapshot that may be read. Raises SnapshotUnusable, which says what is wrong with it."""
        manifest = self.manifest(key)
        for category, schema in manifest.state_schema.items():
            mine = self.schemas.get(category)
            if mine is None:
                raise SnapshotUnusable(key.stem, f"it has streams of {category!r}, and no aggregate has that category")
            if mine != schema:
                raise SnapshotUnusable(
                    key.stem, f"the state type of {category!r} is another now ({mine}, there {schema})"
                )
        return Snapshot(self._objects, manifest, self._types)

    def manifest(self, key: SnapshotKey) -> Manifest:
        """What a snapshot says of itself. Raises SnapshotUnusable."""
        try:
            value = b"".join(self._objects.get(key.manifest))
        except ObjectMissing as error:
            raise SnapshotUnusable(key.stem, f"its manifest is gone: {error}") from error
        manifest = decode_manifest(key.stem, value)
        about = manifest.about
        if about.journal != self.journal or about.shard != self.shard or about.key != key:
            raise SnapshotUnusable(
                key.stem,
                f"its manifest is of {about.key.stem}, and this is shard {self.shard} of journal {self.journal}",
            )
        return manifest

    def candidates(self) -> Iterator[SnapshotKey]:
        """All that were not found unusable, newest first."""
        return (key for key in self.newest_first() if key not in self._unusable)

    def found_unusable(self, error: SnapshotUnusable, key: SnapshotKey) -> None:
        """Say it in the log, and count this one among those to keep no more."""
        log.error("shard %d: %s", self.shard, error)
        self._unusable.add(key)

    # -- writing -------------------------------------------------------------------------------------------------------
    def write(self, contents: Contents, pace: Pace) -> Manifest:
        """Write one and read it back; then let go of those that are no longer kept.

        Raises SnapshotFailed for one that cannot be loaded, which is deleted then, and what `write_snapshot` raises.
        """
        key = contents.about.key
        found = self._find()
        if key not in found.manifests:  # else it was written already, and the store failed while it was read back
            if key in found.data:
                self._objects.delete(key.data)  # half a snapshot, whose writer was cut off
            write_snapshot(self._objects, contents, pace)
        manifest = self._read_back(key, pace)
        self.retain(key)
        return manifest

    def _read_back(self, key: SnapshotKey, pace: Pace) -> Manifest:
        """Load it as a recovery would: one that cannot be loaded may push out none that can."""
        try:
            snapshot = self.open(key)
            snapshot.check(pace)
        except SnapshotUnusable as error:
            self._unusable.add(key)
            self._objects.delete(key.manifest)
            self._objects.delete(key.data)
            raise SnapshotFailed(
                f"what was written cannot be loaded; it was deleted again, and older ones are kept: {error}"
            ) from error
        self._unusable.discard(key)
        return snapshot.manifest

    def retain(self, newest: SnapshotKey) -> None:
        """Delete what is older than those to be kept: manifest first, so that no manifest is without its data.

        newest: the one that was written last, and read back. What claims to be newer still belongs to another history,
        perhaps of a journal that was restored: it is neither counted nor deleted. Neither are unusable ones counted.
        """
        found = self._find()
        kept = [key for key in _newest_first(found.manifests) if key.age <= newest.age and key not in self._unusable]
        oldest = kept[: self._keep][-1].age if kept else newest.age
        for key in found.manifests:
            if key.age < oldest:
                self._objects.delete(key.manifest)
        for key in found.data:
            if key.age < oldest:
                self._objects.delete(key.data)

    def _find(self) -> _Found:
        found = _Found(set(), set())
        for stored in self._objects.list(shard_prefix(self.journal, self.shard)):
            parsed = parse_key(stored.key)
            if parsed is not None:
                (found.manifests if parsed[1] == MANIFEST else found.data).add(parsed[0])
        return found


class _Found(NamedTuple):
    """Keys by what stands under them."""

    manifests: set[SnapshotKey]
    data: set[SnapshotKey]


def _newest_first(keys: Iterable[SnapshotKey]) -> list[SnapshotKey]:
    return sorted(keys, key=lambda key: key.age, reverse=True)

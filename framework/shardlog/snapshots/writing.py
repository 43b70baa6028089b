"""Writing a snapshot: contents into compressed chunks, the chunks as one object, and then the manifest."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

import zstandard

from shardlog.codec.json import encode_state
from shardlog.errors import ObjectExists, ObjectStoreFailed
from shardlog.ports.objects import ObjectStore
from shardlog.snapshots.ids import Ids, pack_ids
from shardlog.snapshots.keys import SnapshotKey
from shardlog.snapshots.manifest import About, Chunk, Manifest, checksum, encode_manifest
from shardlog.snapshots.pace import Pace
from shardlog.snapshots.slot import Slot
from shardlog.snapshots.state_digest import digest_sum, digest_text

log = logging.getLogger("shardlog.snapshots")
CHUNK_RAW_BYTES = 256 * 1024
"""A chunk is closed when it has so many bytes before compression: a millisecond of compression."""
SLICE_STREAMS = 256
"""So many streams are encoded in one call, in which no other thread gets the interpreter."""
COMPRESSION_LEVEL = 1


class Streams(NamedTuple):
    """A category's streams, bucket by bucket. schema: the digest of its state type."""

    category: str
    schema: str
    buckets: Iterable[Mapping[str, Slot[Any]]]


class WindowIds(NamedTuple):
    """Ids of one generation of the request window, or of a half of the counted one, bucket by bucket.

    kind and name: as in a Chunk.
    """

    kind: str
    name: str
    buckets: Iterable[Ids]


class Contents(NamedTuple):
    """All of a snapshot. streams and ids are iterated once, while it is written."""

    about: About
    streams: Iterable[Streams]
    ids: Iterable[WindowIds]


def write_snapshot(objects: ObjectStore, contents: Contents, pace: Pace) -> Manifest:
    """Write data and manifest; there is a snapshot once this returns, and no half of one where it raises.

    Raises ObjectExists where there is data or a manifest under its key, which stays, ObjectStoreFailed where the store
    takes it not, SnapshotFailed once the pace is cancelled.
    """
    encoding = _Encoding(pace)
    key = contents.about.key
    objects.put(key.data, encoding.data(contents))
    manifest = Manifest(
        about=contents.about,
        state_schema=encoding.schemas,
        state_digest=digest_text(encoding.digest),
        oldest_referenced=encoding.oldest_referenced,
        chunks=tuple(encoding.chunks),
    )
    try:
        objects.put(key.manifest, [encode_manifest(manifest)])
    except ObjectExists:
        raise  # the data belong to a manifest that stands
    except Exception:
        _take_back(objects, key)
        raise
    return manifest


def _take_back(objects: ObjectStore, key: SnapshotKey) -> None:
    """Delete data whose manifest was refused. The manifest goes first: it may stand, where only the answer was lost."""
    try:
        objects.delete(key.manifest)
        objects.delete(key.data)
    except ObjectStoreFailed as error:
        log.warning("shard %d: half of snapshot %s is left behind: %s", key.shard, key.stem, error)


class _Encoding:
    """What is known of the data once they are encoded."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._compress = zstandard.ZstdCompressor(level=COMPRESSION_LEVEL).compress
        self.chunks: list[Chunk] = []
        self.schemas: dict[str, str] = {}
        self.digest = 0
        self.oldest_referenced: int | None = None

    def data(self, contents: Contents) -> Iterator[bytes]:
        """All chunks as stored."""
        for streams in contents.streams:
            yield from self._streams(streams)
        for ids in contents.ids:
            yield from self._ids(ids)

    def _streams(self, streams: Streams) -> Iterator[bytes]:
        """Chunks of JSON arrays of objects; an object has some streams of a bucket: id to [version, state]."""
        pieces: list[bytes] = []
        entries = size = 0
        for bucket in streams.buckets:
            for some in _slices(bucket):
                self.digest += digest_sum(streams.category, some)
                piece = encode_state(some)
                pieces.append(piece)
                entries += len(some)
                size += len(piece) + 1
                self._pace.rest()
                if size >= CHUNK_RAW_BYTES:
                    yield self._chunk("streams", streams.category, entries, b"[%b]" % b",".join(pieces))
                    pieces, entries, size = [], 0, 0
        if pieces:
            yield self._chunk("streams", streams.category, entries, b"[%b]" % b",".join(pieces))
        if any(chunk.kind == "streams" and chunk.name == streams.category for chunk in self.chunks):
            self.schemas[streams.category] = streams.schema

    def _ids(self, ids: WindowIds) -> Iterator[bytes]:
        packed: list[bytes] = []
        for bucket in ids.buckets:
            more, lowest = pack_ids(bucket)
            if lowest is None:
                continue  # most are empty where there are few ids, and a look at the clocks costs more than that
            packed += more
            if self.oldest_referenced is None or lowest < self.oldest_referenced:
                self.oldest_referenced = lowest
            self._pace.rest()
            if len(packed) * 32 >= CHUNK_RAW_BYTES:
                yield self._chunk(ids.kind, ids.name, len(packed), b"".join(packed))
                packed = []
        if packed:
            yield self._chunk(ids.kind, ids.name, len(packed), b"".join(packed))

    def _chunk(self, kind: Any, name: str, entries: int, raw: bytes) -> bytes:
        stored = self._compress(raw)
        self.chunks.append(Chunk(kind, name, entries, len(stored), len(raw), checksum(stored)))
        self._pace.rest()
        return stored


def _slices(bucket: Mapping[str, Slot[Any]]) -> Iterator[Mapping[str, Slot[Any]]]:
    if len(bucket) <= SLICE_STREAMS:
        if bucket:
            yield bucket
        return
    items = iter(bucket.items())
    while some := dict(islice(items, SLICE_STREAMS)):
        yield some

"""Reading a snapshot: its chunks are checked and decoded as they come, so it may be larger than half the memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec
import zstandard

from shardlog.codec.json import NOT_DECODED, decode_hook, encode_state
from shardlog.errors import ObjectMissing, SnapshotUnusable
from shardlog.ports.objects import ObjectStore
from shardlog.snapshots.ids import unpack_ids
from shardlog.snapshots.manifest import Chunk, Manifest, checksum
from shardlog.snapshots.pace import Pace
from shardlog.snapshots.slot import Slot
from shardlog.snapshots.state_digest import digest_sum, digest_text


class StoredStream(NamedTuple):
    """One stream of a snapshot."""

    category: str
    id: str
    version: int
    state: Any


class StreamsPart(NamedTuple):
    """Some streams of a category."""

    category: str
    streams: dict[str, Slot[Any]]


class IdsPart(NamedTuple):
    """Some ids of a window. kind and name: as in a Chunk."""

    kind: str
    name: str
    ids: list[tuple[bytes, int]]


class Snapshot:
    """A snapshot whose manifest holds. state_types: by category, what its states are decoded as.

    Whatever is read from it raises SnapshotUnusable where something is not as it was written, at the latest behind the
    last part; nothing of it is to be used then.
    """

    def __init__(self, objects: ObjectStore, manifest: Manifest, state_types: Mapping[str, type[Any]]) -> None:
        self.manifest = manifest
        self.key = manifest.about.key
        self._objects = objects
        self._decode = {category: _streams_decoder(type_) for category, type_ in state_types.items()}

    def streams(self) -> Iterator[StoredStream]:
        """Every stream, once."""
        for part in self.parts():
            if isinstance(part, StreamsPart):
                for id, slot in part.streams.items():
                    yield StoredStream(part.category, id, slot.version, slot.state)

    def check(self, pace: Pace | None = None) -> None:
        """Read all of it back and compare with what was written. pace: None for as fast as it goes.

        Raises SnapshotUnusable, and SnapshotFailed once the pace is cancelled.
        """
        if self._encodes_as_written(pace):
            return
        for _ in self.parts():
            if pace is not None:
                pace.rest()

    def _encodes_as_written(self, pace: Pace | None) -> bool:
        """Whether all states, decoded and encoded again, are the bytes that stand there: so their digest is the same.

        Three times as fast as the digest, and False where a set came back in another order: the digest then says.
        """
        for chunk, stored in self._chunks():
            raw = _decompressed(self.key.stem, chunk, stored)
            if pace is not None:
                pace.rest()
            if chunk.kind != "streams":
                self._ids(chunk, raw)
            elif encode_state(self._streams(chunk, raw)) != raw:
                return False
            if pace is not None:
                pace.rest()
        return True

    def parts(self) -> Iterator[StreamsPart | IdsPart]:
        """All that it holds, in pieces, in the order in which it was written."""
        total = 0
        for chunk, stored in self._chunks():
            raw = _decompressed(self.key.stem, chunk, stored)
            if chunk.kind != "streams":
                yield IdsPart(chunk.kind, chunk.name, self._ids(chunk, raw))
                continue
            some = self._streams(chunk, raw)
            for streams in some:
                total += digest_sum(chunk.name, streams)
                yield StreamsPart(chunk.name, streams)
        if digest_text(total) != self.manifest.state_digest:
            raise SnapshotUnusable(
                self.key.stem,
                f"what was read has the state digest {digest_text(total)}, and {self.manifest.state_digest} was "
                "written: a state is not what its JSON gives back",
            )

    def _chunks(self) -> Iterator[tuple[Chunk, bytes]]:
        """Chunks as stored, each with a checksum that holds."""
        key = self.key.stem
        data = _Pieces(self._objects.get(self.key.data))
        try:
            for number, chunk in enumerate(self.manifest.chunks):
                stored = data.take(chunk.bytes)
                if len(stored) != chunk.bytes:
                    raise SnapshotUnusable(key, f"its data end in chunk {number} of {len(self.manifest.chunks)}")
                if checksum(stored) != chunk.checksum:
                    raise SnapshotUnusable(key, f"chunk {number} is damaged: the checksum does not hold")
                yield chunk, stored
            if data.take(1):
                raise SnapshotUnusable(key, "there are data behind its last chunk")
        except ObjectMissing as error:
            raise SnapshotUnusable(key, f"its data are gone: {error}") from error

    def _streams(self, chunk: Chunk, raw: bytes) -> list[dict[str, Slot[Any]]]:
        try:
            some = self._decode[chunk.name](raw)
        except (*NOT_DECODED, KeyError) as error:
            raise SnapshotUnusable(
                self.key.stem, f"states of {chunk.name!r} do not decode ({error}): this code has other types"
            ) from error
        self._check_entries(chunk, sum(map(len, some)))
        return some

    def _ids(self, chunk: Chunk, raw: bytes) -> list[tuple[bytes, int]]:
        try:
            ids = list(unpack_ids(raw))
        except ValueError as error:
            raise SnapshotUnusable(self.key.stem, str(error)) from error
        self._check_entries(chunk, len(ids))
        return ids

    def _check_entries(self, chunk: Chunk, found: int) -> None:
        if found != chunk.entries:
            raise SnapshotUnusable(
                self.key.stem, f"a chunk of {chunk.name!r} has {found} entries, and {chunk.entries} were written"
            )


def _streams_decoder(state_type: Any) -> Callable[[bytes], list[dict[str, Slot[Any]]]]:
    return msgspec.json.Decoder(list[dict[str, Slot[state_type]]], dec_hook=decode_hook).decode


def _decompressed(key: str, chunk: Chunk, stored: bytes) -> bytes:
    try:
        raw = zstandard.ZstdDecompressor().decompress(stored, max_output_size=chunk.raw_bytes)
    except zstandard.ZstdError as error:
        raise SnapshotUnusable(key, f"a chunk of {chunk.name!r} does not decompress: {error}") from error
    if len(raw) != chunk.raw_bytes:
        raise SnapshotUnusable(key, f"a chunk of {chunk.name!r} has {len(raw)} bytes, not {chunk.raw_bytes}")
    return raw


class _Pieces:
    """A value that comes in pieces, taken in lengths of one's own."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._held = bytearray()

    def take(self, length: int) -> bytes:
        """So many bytes; fewer where the value ends."""
        held = self._held
        while len(held) < length and (piece := next(self._pieces, None)) is not None:
            held += piece
        taken = bytes(held[:length])
        del held[:length]
        return taken

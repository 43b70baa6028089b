"""The manifest of a snapshot: where it stands, the small state, and what chunks its data are made of.

`["shardlog","snapshot",FORMAT,CHECKSUM,BODY]`; CHECKSUM is blake2b-256 of BODY's bytes in hex.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Literal

import msgspec

from shardlog.errors import SnapshotUnusable
from shardlog.journal.reader import ReaderState
from shardlog.journal.records import Count, Place
from shardlog.snapshots.keys import HEAD_DIGITS, SnapshotKey

SNAPSHOT_FORMAT = 1


class Chunk(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A piece of the data, compressed by itself.

    kind: streams of a category, ids of a generation of the request window, or of a half of the counted window. name:
    that category, generation or half. entries: streams or ids in it. bytes: as stored. raw_bytes: decompressed.
    checksum: blake2b-256 of the stored bytes, in hex.
    """

    kind: Literal["streams", "requests", "counted"]
    name: str
    entries: Count
    bytes: Count
    raw_bytes: Count
    checksum: str


class About(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a snapshot stands, and the small state there; all of it acknowledged (rule S1).

    next: the first offset that is not in it. epoch, nonce, seq, head: of the chain there, as in a ReaderState. time: of
    the newest frame, microseconds since 1970 UTC. anchor: offset and blake2b-256 of the last valid record's value.
    inputs: first offsets not settled, by name. sent, received: places of sends, by shard. counted: ids taken into the
    newer half of the counted window. dedupe_window_ms: what the generations of the request window are a quarter of.
    code: digest of the code that made the state. taken: when, microseconds since 1970 UTC.
    """

    journal: str
    shard: Count
    shards: Count
    next: Count
    epoch: Count
    nonce: str
    seq: Count
    head: str
    time: Count
    anchor: tuple[Count, str]
    inputs: dict[str, Count]
    sent: dict[Count, Place]
    received: dict[Count, Place]
    counted: Count
    dedupe_window_ms: Count
    code: str
    taken: Count

    @property
    def key(self) -> SnapshotKey:
        """What the snapshot is called."""
        return SnapshotKey(self.journal, self.shard, self.next, self.epoch, self.head[:HEAD_DIGITS])

    @property
    def reader(self) -> ReaderState:
        """Where a reader goes on."""
        return ReaderState(
            self.journal, self.shard, self.shards, self.next, self.epoch, self.nonce, self.seq, self.head
        )


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of a manifest.

    state_schema: of each category that has streams in it, a digest of its state type. state_digest: of all streams.
    oldest_referenced: the lowest offset that its windows refer to; None where they are empty. chunks: in the order of
    the data.
    """

    about: About
    state_schema: dict[str, str]
    state_digest: str
    oldest_referenced: Count | None
    chunks: tuple[Chunk, ...]

    @property
    def streams(self) -> int:
        """How many streams it holds."""
        return sum(chunk.entries for chunk in self.chunks if chunk.kind == "streams")

    @property
    def bytes(self) -> int:
        """The size of its data."""
        return sum(chunk.bytes for chunk in self.chunks)


class _Envelope(msgspec.Struct, frozen=True, array_like=True):
    magic: Literal["shardlog"]
    kind: Literal["snapshot"]
    format: int
    rest: msgspec.Raw = msgspec.Raw(b"")


class _Format1(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    magic: str
    kind: str
    format: int
    checksum: str
    body: msgspec.Raw


_decode_envelope = msgspec.json.Decoder(_Envelope).decode
_decode_format1 = msgspec.json.Decoder(_Format1).decode
_decode_body = msgspec.json.Decoder(Manifest).decode
_encode = msgspec.json.Encoder().encode


def checksum(data: bytes | memoryview | msgspec.Raw) -> str:
    """blake2b-256 in hex: what chunks and manifests are checked by."""
    return blake2b(data, digest_size=32).hexdigest()


def encode_manifest(manifest: Manifest) -> bytes:
    """A manifest's bytes."""
    body = msgspec.Raw(_encode(manifest))
    return _encode(_Format1("shardlog", "snapshot", SNAPSHOT_FORMAT, checksum(body), body))


def decode_manifest(key: str, value: bytes) -> Manifest:
    """The manifest of these bytes. Raises SnapshotUnusable, which says what is wrong with them."""
    try:
        version = _decode_envelope(value).format
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SnapshotUnusable(key, f"its manifest is damaged ({error}); it begins {value[:40]!r}") from error
    if version != SNAPSHOT_FORMAT:
        raise SnapshotUnusable(
            key, f"it is of format {version}, and this code reads format {SNAPSHOT_FORMAT}: newer code wrote it"
        )
    try:
        record = _decode_format1(value)
        if checksum(record.body) != record.checksum:
            raise SnapshotUnusable(key, "its manifest is damaged: the checksum does not hold")
        return _decode_body(record.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SnapshotUnusable(key, f"its manifest is damaged ({error})") from error

"""What may have befallen a stored snapshot, each with what is said of it."""

from __future__ import annotations

from typing import Any

import msgspec

from shardlog.snapshots.keys import SnapshotKey
from shardlog.snapshots.manifest import checksum, decode_manifest


def halved(stored: dict[str, bytes], key: SnapshotKey) -> None:
    stored[key.data] = stored[key.data][: len(stored[key.data]) // 2]


def flipped(stored: dict[str, bytes], key: SnapshotKey) -> None:
    middle = len(stored[key.data]) // 2
    stored[key.data] = (
        stored[key.data][:middle] + bytes([stored[key.data][middle] ^ 1]) + stored[key.data][middle + 1 :]
    )


def longer(stored: dict[str, bytes], key: SnapshotKey) -> None:
    stored[key.data] += b"\0"


def without_data(stored: dict[str, bytes], key: SnapshotKey) -> None:
    del stored[key.data]


def manifest_halved(stored: dict[str, bytes], key: SnapshotKey) -> None:
    stored[key.manifest] = stored[key.manifest][: len(stored[key.manifest]) // 2]


def manifest_flipped(stored: dict[str, bytes], key: SnapshotKey) -> None:
    stored[key.manifest] = stored[key.manifest].replace(b'"state_digest":"', b'"state_digest":"0', 1)


def manifest_empty(stored: dict[str, bytes], key: SnapshotKey) -> None:
    stored[key.manifest] = b""


def of_newer_code(stored: dict[str, bytes], key: SnapshotKey) -> None:
    stored[key.manifest] = b'["shardlog","snapshot",2,{"anything":true}]'


def rewritten(stored: dict[str, bytes], key: SnapshotKey, **changes: Any) -> None:
    """A manifest whose checksum holds, and that says something else."""
    manifest = decode_manifest(key.stem, stored[key.manifest])
    body = msgspec.Raw(
        msgspec.json.encode(msgspec.structs.replace(manifest, about=msgspec.structs.replace(manifest.about, **changes)))
    )
    stored[key.manifest] = msgspec.json.encode(["shardlog", "snapshot", 1, checksum(body), body])


def of_another_journal(stored: dict[str, bytes], key: SnapshotKey) -> None:
    rewritten(stored, key, journal="1d9ab5de-9d0b-4b57-8d6f-6a4a7f6b6a11")


def of_another_history(stored: dict[str, bytes], key: SnapshotKey) -> None:
    offset = decode_manifest(key.stem, stored[key.manifest]).about.anchor[0]
    rewritten(stored, key, anchor=(offset, "0" * 64))


def beyond_the_log(stored: dict[str, bytes], key: SnapshotKey) -> None:
    moved = key._replace(offset=key.offset + 1_000)
    stored[moved.manifest], stored[moved.data] = stored.pop(key.manifest), stored.pop(key.data)
    rewritten_as(stored, key, moved)


def rewritten_as(stored: dict[str, bytes], key: SnapshotKey, moved: SnapshotKey) -> None:
    manifest = decode_manifest(key.stem, stored[moved.manifest])
    rewritten(stored, moved, next=moved.offset, anchor=(moved.offset - 1, manifest.about.anchor[1]))


def of_another_window(stored: dict[str, bytes], key: SnapshotKey) -> None:
    rewritten(stored, key, dedupe_window_ms=1)


DAMAGES = [
    (halved, "its data end in chunk"),
    (flipped, "is damaged: the checksum does not hold"),
    (longer, "data behind its last chunk"),
    (without_data, "its data are gone"),
    (manifest_halved, "its manifest is damaged"),
    (manifest_flipped, "its manifest is damaged: the checksum does not hold"),
    (manifest_empty, "its manifest is damaged"),
    (of_newer_code, "it is of format 2, and this code reads format 1: newer code wrote it"),
    (of_another_journal, "its manifest is of 1d9ab5de"),
    (of_another_history, "the journal has another record at offset"),
    (beyond_the_log, "and the journal ends at"),
    (of_another_window, "it was made with dedupe_window_ms 1, and now it is 60000"),
]

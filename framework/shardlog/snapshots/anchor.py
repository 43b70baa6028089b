"""Whether a snapshot is of the history that the journal holds: the record that it rests on stands there (rule S3)."""

from __future__ import annotations

from shardlog.errors import Corrupt, SnapshotUnusable, Truncated
from shardlog.journal.chain import value_digest
from shardlog.ports.journal import Journal
from shardlog.snapshots.manifest import About


class AnchorUnseen(SnapshotUnusable):
    """The log reaches further, and what was read of it did not: nothing is wrong with the snapshot."""


def anchored(journal: Journal, about: About) -> tuple[int, bytes]:
    """Offset and value of the record that a snapshot rests on. Raises SnapshotUnusable, or AnchorUnseen."""
    offset, digest = about.anchor
    key = about.key.stem
    try:
        found, value = next(iter(journal.read(about.shard, offset)), (-1, b""))
        log_next = journal.offsets(about.shard)[1]
    except (Truncated, Corrupt) as error:
        raise SnapshotUnusable(key, f"the record that it rests on cannot be read: {error}") from error
    if found == -1 and log_next >= about.next:
        raise AnchorUnseen(
            key, f"the record at offset {offset} that it rests on was not seen yet: a stale end was read"
        )
    if found != offset or log_next < about.next:
        raise SnapshotUnusable(
            key,
            f"it rests on the record at offset {offset} and stands at {about.next}, and the journal ends at "
            f"{log_next}: it is of another history",
        )
    if value_digest(value) != digest:
        raise SnapshotUnusable(key, f"the journal has another record at offset {offset}: it is of another history")
    return offset, value

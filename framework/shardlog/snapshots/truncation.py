"""Cutting off the beginning of a shard's journal, only where nothing needs it and an archive holds it (rule S4)."""

from __future__ import annotations

import logging

from shardlog.errors import Corrupt, SnapshotUnusable, TruncationRefused
from shardlog.ports.archive import Archive
from shardlog.ports.journal import Journal
from shardlog.snapshots.anchor import anchored
from shardlog.snapshots.manifest import Manifest
from shardlog.snapshots.store import ShardSnapshots

log = logging.getLogger("shardlog.snapshots")


def truncate(journal: Journal, snapshots: ShardSnapshots, archive: Archive | None, relay_next: int) -> int:
    """Cut off what may go; returns the offset at which the journal begins now.

    Kept are: the record that the oldest kept snapshot rests on, every frame that a window of ids refers to, what the
    relay has not carried yet, and what is not archived. Every kept snapshot is read back first, and every record that
    is to go is compared with the archive's.

    relay_next: the first offset that the relay has still to read. Raises TruncationRefused; the journal is then as it
    was.
    """
    shard = snapshots.shard
    if archive is None:
        raise _refused(shard, "there is no archive, so what is cut off would be gone: configure one")
    bounds = _bounds(shard, _read_back(journal, snapshots))
    bounds["what the relay has still to carry"] = relay_next
    bounds["what is not archived"] = archive.archived(shard)
    what, before = min(bounds.items(), key=lambda bound: bound[1])
    earliest = journal.offsets(shard)[0]
    if before <= earliest:
        log.info("shard %d: the journal begins at offset %d and stays so: %s is at %d", shard, earliest, what, before)
        return earliest
    _compare(journal, archive, shard, earliest, before)
    journal.truncate(shard, before)
    log.info(
        "shard %d: the journal begins at offset %d now, before that at %d; next: %s", shard, before, earliest, what
    )
    return before


def _read_back(journal: Journal, snapshots: ShardSnapshots) -> list[Manifest]:
    """The manifests of all kept snapshots, each of which holds and is of this history."""
    found: list[Manifest] = []
    for key in snapshots.newest_first():
        try:
            snapshot = snapshots.open(key)
            anchored(journal, snapshot.manifest.about)
            snapshot.check()
        except SnapshotUnusable as error:
            raise _refused(
                snapshots.shard,
                f"{error}. A snapshot that is kept must hold: delete this one, or let newer ones replace it",
            ) from error
        found.append(snapshot.manifest)
    if not found:
        raise _refused(snapshots.shard, "it has no snapshot, so a recovery begins at offset 0: make one first")
    return found


def _bounds(shard: int, kept: list[Manifest]) -> dict[str, int]:
    """Offsets from which on records are needed, by what needs them.

    The windows of a shard refer to frames that those of its newest snapshot refer to, or that came after it.
    """
    oldest = min(kept, key=lambda manifest: manifest.about.anchor[0])
    bounds = {f"the record that snapshot {oldest.about.key.stem} rests on": oldest.about.anchor[0]}
    referenced = [m.oldest_referenced for m in kept if m.oldest_referenced is not None]
    if referenced:
        bounds["the oldest frame that a window of command ids refers to"] = min(referenced)
    return bounds


def _compare(journal: Journal, archive: Archive, shard: int, start: int, end: int) -> None:
    """Whether the archive has each record of the journal from start to end, as it is."""
    archived = iter(archive.read(shard, start))
    try:
        for offset, value in journal.read(shard, start):
            if offset >= end:
                return
            found = next(archived, None)
            if found != (offset, value):
                has = "nothing" if found is None else f"another record, of offset {found[0]}"
                raise _refused(
                    shard, f"the archive has {has}, where the journal has offset {offset}: repair the archive"
                )
    except Corrupt as error:
        raise _refused(shard, f"journal and archive cannot be compared: {error}") from error


def _refused(shard: int, why: str) -> TruncationRefused:
    return TruncationRefused(f"shard {shard}: nothing was cut off: {why}")

"""When a shard makes a snapshot of itself, and how many it keeps."""

from __future__ import annotations

from typing import Annotated

import msgspec

from shardlog.ranges import check_ranges


class SnapshotSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Snapshots of every shard of a process. They are made one at a time."""

    every_bytes: Annotated[int, msgspec.Meta(ge=0)] = 256 * 1024 * 1024
    """Bytes of journal after which the next one is due: what a recovery replays at most, about a million commands a
    shard. 0: never for this reason."""
    every_ms: Annotated[int, msgspec.Meta(ge=0, le=31_536_000_000)] = 3_600_000
    """Milliseconds after which the next one is due where frames were written since. 0: never for this reason."""
    keep: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 2
    """How many a shard keeps; older ones are deleted when a new one is whole."""
    share_percent: Annotated[int, msgspec.Meta(ge=1, le=100)] = 35
    """Of one core's time, from 1 to 100, for the thread that encodes; commands are decided in the rest."""
    retry_ms: Annotated[int, msgspec.Meta(ge=0, le=86_400_000)] = 60_000
    """Milliseconds before the next one is tried where one failed."""

    def __post_init__(self) -> None:
        """Raises ConfigurationError for a value out of its range."""
        check_ranges(self, "snapshots")

"""When a shard makes a snapshot of itself, and how many it keeps."""

from __future__ import annotations

import msgspec

from shardlog.errors import ConfigurationError


class SnapshotSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Snapshots of every shard of a process. They are made one at a time."""

    every_bytes: int = 256 * 1024 * 1024
    """Bytes of journal after which the next one is due: what a recovery replays at most, about a million commands a
    shard. 0: never for this reason."""
    every_ms: int = 3_600_000
    """Milliseconds after which the next one is due where frames were written since. 0: never for this reason."""
    keep: int = 2
    """How many a shard keeps; older ones are deleted when a new one is whole."""
    share_percent: int = 40
    """Of the interpreter's time, from 1 to 100, for the thread that encodes; commands are decided in the rest."""
    retry_ms: int = 60_000
    """Milliseconds before the next one is tried where one failed."""

    def __post_init__(self) -> None:
        """Raises ConfigurationError for a value out of its range."""
        for name, least in (("every_bytes", 0), ("every_ms", 0), ("keep", 1), ("share_percent", 1), ("retry_ms", 0)):
            if getattr(self, name) < least:
                raise ConfigurationError(
                    f"snapshot setting {name} is {getattr(self, name)}, and must be {least} or more"
                )
        if self.share_percent > 100:
            raise ConfigurationError(f"snapshot setting share_percent is {self.share_percent}, and 100 is all there is")

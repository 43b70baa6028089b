"""The limits of a relay: each a named setting with a unit."""

from __future__ import annotations

import msgspec

from shardlog.errors import ConfigurationError


class RelayLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What a relay refuses to exceed. Of what is held, each source shard has the same share."""

    held_sends_max: int = 100_000
    """Sends that are held until they are received, over all shards. A shard is read on as soon as it has room."""
    held_bytes_max: int = 67_108_864
    """Bytes of their records. Each shard exceeds its share by one frame at most."""
    held_letters_max: int = 1_000
    """Dead letters found and not yet stored; with so many nothing is read on."""
    original_bytes_max: int = 65_536
    """Bytes of an input's record that a dead letter keeps."""
    read_records_max: int = 1_000
    """Records of one shard that are read at once."""
    checkpoint_ms: int = 1_000
    """How long a checkpoint stays unwritten at most; what is behind it is read again after a restart."""
    retry_ms: int = 1_000
    """How long a shard, an input or the store is left alone after an error."""

    def __post_init__(self) -> None:
        """Raises ConfigurationError for a limit that is too small."""
        for name in self.__struct_fields__:
            least = 0 if name.endswith("_ms") else 1
            if getattr(self, name) < least:
                raise ConfigurationError(f"relay setting {name} is {getattr(self, name)}, and must be {least} or more")

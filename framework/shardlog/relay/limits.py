"""The limits of a relay: each a named setting with a unit."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from shardlog.ranges import check_ranges


class RelayLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What a relay refuses to exceed. Of what is held, each source shard has the same share."""

    held_sends_max: Annotated[int, msgspec.Meta(ge=1)] = 100_000
    """Sends that are held until they are received, over all shards. A shard is read on as soon as it has room."""
    held_bytes_max: Annotated[int, msgspec.Meta(ge=1)] = 67_108_864
    """Bytes of their records. Each shard exceeds its share by a frame, and a forwarded record for each target."""
    held_letters_max: Annotated[int, msgspec.Meta(ge=1)] = 1_000
    """Dead letters found and not yet stored; with so many nothing is read on."""
    original_bytes_max: Annotated[int, msgspec.Meta(ge=1)] = 65_536
    """Bytes of an input's record that a dead letter keeps."""
    read_records_max: Annotated[int, msgspec.Meta(ge=1)] = 1_000
    """Records of one shard that are read at once."""
    checkpoint_ms: Annotated[int, msgspec.Meta(ge=0, le=86_400_000)] = 1_000
    """How long a checkpoint stays unwritten at most; what is behind it is read again after a restart."""
    retry_ms: Annotated[int, msgspec.Meta(ge=0, le=86_400_000)] = 1_000
    """How long a shard, an input or the store is left alone after an error."""
    retry_ms_max: Annotated[int, msgspec.Meta(ge=0, le=86_400_000)] = 5_000
    """How long a shard or an input that fails again and again is left alone at most; it doubles each time."""

    def __post_init__(self) -> None:
        """Raises ConfigurationError for one out of its range."""
        check_ranges(self, "relay")


class PublisherLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What a publisher refuses to exceed. A frame's records stand in one transaction, whatever they exceed."""

    event_format: Literal["json", "avro"] = "json"
    """How events are written: as JSON, or as Avro in Confluent framing, by [schemas]."""
    transaction_records_max: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 5_000
    """Records of one transaction."""
    transaction_bytes_max: Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)] = 33_554_432
    """Bytes of their values."""
    transaction_ms: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 200
    """How long records are read for one transaction; it never waits for more than is there."""
    original_bytes_max: Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)] = 1_000_000
    """Bytes of an input's record that a dead letter keeps."""
    checkpoint_ms: Annotated[int, msgspec.Meta(ge=0, le=86_400_000)] = 1_000
    """How long a checkpoint stays unwritten at most where there is nothing to publish."""
    retry_ms: Annotated[int, msgspec.Meta(ge=0, le=86_400_000)] = 1_000
    """How long a shard or the topics are left alone after an error; the topics from their second in a row on."""
    retry_ms_max: Annotated[int, msgspec.Meta(ge=0, le=86_400_000)] = 5_000
    """How long what fails again and again is left alone at most; it doubles each time."""
    replaced_ms_max: Annotated[int, msgspec.Meta(ge=0, le=86_400_000)] = 30_000
    """The longest wait of a publisher that another replaces again and again; it doubles each time."""

    def __post_init__(self) -> None:
        """Raises ConfigurationError for one out of its range."""
        check_ranges(self, "publisher")

"""How shards are spread over executors where nothing was assigned, and how often it is looked whether that changed."""

from __future__ import annotations

from typing import Annotated

import msgspec

from shardlog.ranges import check_ranges
from shardlog.sharding import SHARDS_MAX


class OwnershipSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Executors in processes of their own. Ownership itself is the claim in the journal."""

    executors: Annotated[int, msgspec.Meta(ge=1, le=SHARDS_MAX)] = 1
    """How many there are: a shard that was never assigned belongs to number shard mod executors."""
    poll_ms: Annotated[int, msgspec.Meta(ge=10, le=86_400_000)] = 1_000
    """How often an executor looks for new assignments, and announces what it owns since."""
    address: str = ""
    """Where others reach this process, as host:port; empty where nobody does. Announced with each claim."""

    def __post_init__(self) -> None:
        """Raises ConfigurationError for a value out of its range."""
        check_ranges(self, "ownership")

"""The feed of January, read once."""

from __future__ import annotations

import pytest

from demo.feed import FlightsFeed


@pytest.fixture(scope="session")
def january() -> FlightsFeed:
    """One shard, so that its sequence is the whole order."""
    return FlightsFeed(months=1, shards=1)

"""The fields that log calls carry beside their text, given to the standard library as `extra`."""

from __future__ import annotations

from typing import TypedDict


class Fields(TypedDict, total=False):
    """Which part of an engine a line speaks of."""

    journal: str
    shard: int
    epoch: int
    projection: str
    input: str

"""Where a shard is on its way to be served, and who serves it."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Mode(Enum):
    """Where a shard is on its way."""

    REPLAYING = "replaying"
    CLAIMING = "claiming"
    SERVING = "serving"
    BACKING_OFF = "backing off"
    STOPPED = "stopped"

    @property
    def asks_the_log(self) -> bool:
        """Whether a step may wait for the log's brokers: nobody else should wait for it."""
        return self is Mode.REPLAYING or self is Mode.CLAIMING


class Claimant(NamedTuple):
    """Who claims. address: "host:port" or "". build: the code digest. assignment: its version, 0 where there is
    none."""

    name: str
    address: str = ""
    assignment: int = 0
    build: str = ""

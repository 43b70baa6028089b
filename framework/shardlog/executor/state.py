"""What a shard knows: its streams, and the small state that frames carry beside them."""

from __future__ import annotations

from typing import NamedTuple

from shardlog.executor.draft import Before
from shardlog.executor.limits import Limits
from shardlog.executor.registry import Registry
from shardlog.executor.window import CountedWindow, RequestWindow
from shardlog.model.application import Application
from shardlog.ports.sends import At


class Shard(NamedTuple):
    """Which shard of which journal. number: from 0. shards: how many the journal has."""

    journal: str
    number: int
    shards: int


class ShardState:
    """The state of one shard.

    time: of the newest frame, microseconds since 1970 UTC. inputs: name to first offset not settled. sent: target
    shard to the last send to it. received: source shard to the last send taken from it. Streams, time, inputs, sent
    and received include frames that are not acknowledged yet; the windows hold acknowledged frames only.
    """

    def __init__(self, application: Application, limits: Limits) -> None:
        self.registry = Registry(application, limits.nesting_max)
        self.time = 0
        self.inputs: dict[str, int] = {}
        self.sent: dict[int, At] = {}
        self.received: dict[int, At] = {}
        self.requests = RequestWindow(limits.dedupe_window_ms, limits.dedupe_ids_max)
        self.counted = CountedWindow(limits.dedupe_counted_ids_max)

    def before(self) -> Before:
        """The small state, to come back to."""
        return Before(self.time, dict(self.inputs), dict(self.sent), dict(self.received))

    def restore(self, before: Before) -> None:
        """Come back to it."""
        self.time, self.inputs, self.sent, self.received = before

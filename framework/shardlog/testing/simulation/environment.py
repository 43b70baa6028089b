"""What all parts of a simulation share: its plan, clock, randomness, broker, trace, and who should own what."""

from __future__ import annotations

from random import Random

from shardlog.adapters.memory.relay import MemoryRelayStore
from shardlog.executor.limits import Limits
from shardlog.testing.simulation.broker import Broker
from shardlog.testing.simulation.clock import Clock, Nonces
from shardlog.testing.simulation.feeds import Feed
from shardlog.testing.simulation.plan import Faults, Plan
from shardlog.testing.simulation.trace import Trace

JOURNAL = "0d9ab5de-9d0b-4b57-8d6f-6a4a7f6b6a11"
WINDOW_MS = 400
LIMITS = Limits(
    frame_commands_max=8,
    pipelined_commands_min=1,  # so that several frames are on their way although few commands are
    queue_commands_max=40,
    dedupe_window_ms=WINDOW_MS,
    dedupe_ids_max=200,
    clock_ahead_max_ms=300,
    append_deadline_ms=120,
    claim_deadline_ms=120,
    back_off_min_ms=5,
    back_off_max_ms=80,
    contention_calm_ms=200,
    command_bytes_max=2_000,
    frame_bytes_max=30_000,
)
"""Small, so that a short run meets all of them."""


class Environment:
    """Everything outside of the processes.

    objects: the object store's values. assigned: by shard, the ordinal that should own it.
    """

    def __init__(self, plan: Plan, keeps_trace: bool) -> None:
        self.plan = plan
        self.random = Random(f"run {plan.seed}")  # noqa: S311  # a seed is the point
        self.clock = Clock()
        self.nonces = Nonces()
        self.trace = Trace(self.clock, keeps_trace)
        self.faults = plan.faults
        self.broker = Broker(plan.shards, self.random, plan.faults, self.trace)
        self.feeds = (Feed("feeder:feed:1", plan.shards), Feed("kafka:commands:1", plan.shards))
        self.objects: dict[str, bytes] = {}
        self.relay_store = MemoryRelayStore()
        self.assigned = [shard % plan.ordinals for shard in range(plan.shards)]

    def happens(self, chance: float) -> bool:
        """Draw whether something of this chance happens now."""
        return chance > 0 and self.random.random() < chance

    def calm_down(self) -> None:
        """No more faults from here on."""
        self.faults = self.broker.faults = Faults()

"""What waits to be decided in a shard's next frame: requests, records of inputs, sends from other shards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from shardlog.executor.core import Batch, ExecutorCore
from shardlog.executor.inputs import ShardInputs
from shardlog.executor.queue import RequestQueue
from shardlog.ports.sends import SendsSource


class Gathered(NamedTuple):
    """batches: of inputs, each up to a frame's commands. sends: to this shard. waiting: how many commands, with those
    of requests, which stay in their queue."""

    batches: Sequence[Batch]
    sends: Sequence[bytes]
    waiting: int


class Gathering:
    """Asks all of them, and knows how much is worth a frame. For the thread that steps the shard."""

    def __init__(self, core: ExecutorCore, queue: RequestQueue, inputs: ShardInputs, sends: SendsSource | None) -> None:
        self._core = core
        self._limits = core.limits
        self._queue = queue
        self._inputs = inputs
        self._sends = sends

    def look(self, now_ms: float, *, takes_more: bool) -> Gathered:
        """What is there now. takes_more: False for requests alone, which were taken already."""
        if not takes_more:
            return Gathered((), (), len(self._queue))
        batches = self._inputs.read(self._core.state.inputs, self._limits.frame_commands_max, now_ms)
        sends = self._waiting_sends(bool(batches))
        return Gathered(batches, sends, len(self._queue) + len(sends) + sum(len(batch.records) for batch in batches))

    def is_worth_a_frame(self, waiting: int) -> bool:
        """A few are not while others are on their way: what an acknowledgement costs is shared by all in its frame."""
        return waiting >= (self._limits.pipelined_commands_min if self._core.pending else 1)

    def _waiting_sends(self, is_shared: bool) -> Sequence[bytes]:
        """Up to a frame's commands, or half of them where the frame is shared with inputs."""
        if self._sends is None:
            return ()
        limit = self._limits.frame_commands_max
        number = self._core.shard.number
        return self._sends.waiting(number, self._core.state.received, max(1, limit // 2) if is_shared else limit)

"""The port by which process managers' sends reach their target shards (rule D3).

The target pulls: it says what it has received, by source shard, and gets what comes after that. What it has received
stands in its frames, so a send is taken exactly once however often it is offered.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TypeAlias

At: TypeAlias = tuple[int, int, int]
"""Where a send stands in its source shard: epoch, seq, number. Places of one shard compare as they were written."""


class SendsSource(ABC):
    """Sends under way, for each target shard."""

    @abstractmethod
    def waiting(self, target: int, received: Mapping[int, At], limit: int) -> Sequence[bytes]:
        """Up to `limit` sends to this shard, of each source in the order in which they were decided.

        received: by source shard, the last send that the target's newest frame has taken; only what comes after it is
        returned, again and again until it is received. It returns at once, and is called from the build thread. A value
        is the JSON array that `shardlog.journal.command_record.CommandRecord` describes, with its origin.
        """

"""What stops a projection where one process keeps it, and is waited for where several do.

In a group a checkpoint that another process moved says that a shard has gone there; this process reads again where it
stands now. A database that is away comes back, and an end of the log that lies below a checkpoint is seldom more than
what a broker told this process later than the other.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Collection

from shardlog.errors import CheckpointMoved, Diverged, JournalUnavailable, ShardlogError, StoreUnavailable
from shardlog.projector.runner import Projector
from shardlog.telemetry.fields import Fields

BEHIND_SECONDS = 10.0
"""How long the log may seem to end below a checkpoint before that is believed."""
RETRY_SECONDS = 0.5
MOVES_TOLD = 3
"""How often a shard whose lease is held here is moved by another until that is said aloud."""
log = logging.getLogger("shardlog.projector")


class TakenOver:
    """Of one projection in one process of a group. Used by its thread, but for `passes`."""

    def __init__(self, name: str, journal_id: str) -> None:
        self._name = name
        self._about: Fields = {"journal": journal_id, "projection": name}
        self._moved: Counter[int] = Counter()
        self._told: set[int] = set()
        self._is_said = False
        self._behind_since_s: float | None = None

    def serves(self, shards: Collection[int]) -> None:
        """These shards are served from now on: what happened to others is forgotten."""
        for shard in set(self._moved) - set(shards):
            del self._moved[shard]
        self._told &= set(shards)

    def passes(self, error: ShardlogError | None) -> bool:
        """Whether this error is no reason to stop. From any thread."""
        if isinstance(error, Diverged):
            since_s = self._behind_since_s
            return since_s is None or time.monotonic() - since_s < BEHIND_SECONDS
        return isinstance(error, CheckpointMoved | StoreUnavailable | JournalUnavailable)

    def goes_on(self, projector: Projector, error: ShardlogError) -> float | None:
        """Let the projection go on, if it need not stop for this error: in so many seconds; None where it must."""
        if isinstance(error, Diverged) and self._behind_since_s is None:
            self._behind_since_s = time.monotonic()
        if not self.passes(error):
            return None
        if isinstance(error, JournalUnavailable):
            self._say_unavailable(error)
        try:
            projector.go_on(self._name)
        except ShardlogError:
            return RETRY_SECONDS  # what it has stopped with now is judged at the next call
        self._is_said = False
        if not isinstance(error, CheckpointMoved):
            return RETRY_SECONDS
        moved = projector.overtaken(self._name)
        self._count(projector, moved)
        return 0.0 if moved else RETRY_SECONDS

    def went_on(self) -> None:
        """A batch was tried, and nothing is wrong: an end of the log that seemed too low no longer does."""
        self._behind_since_s = None

    def _say_unavailable(self, error: ShardlogError) -> None:
        if not self._is_said:
            log.warning("projection %s waits: %s", self._name, error, extra=self._about)
            self._is_said = True

    def _count(self, projector: Projector, moved: Collection[int]) -> None:
        (figures,) = projector.figures()
        figures.counts.moved += 1
        for shard in sorted(moved):
            self._moved[shard] += 1
            extra: Fields = {**self._about, "shard": shard}
            if self._moved[shard] == 1:
                log.warning(
                    "projection %s, shard %d: another process wrote while a batch was written here, so this one came "
                    "to nothing; it is read again from where the shard stands now",
                    self._name,
                    shard,
                    extra=extra,
                )
            elif self._moved[shard] >= MOVES_TOLD and shard not in self._told:
                self._told.add(shard)
                log.error(
                    "projection %s, shard %d: another process writes it too, though its lease is held here. Rows are "
                    "right, and the work is done twice: find the process that keeps this projection without leases, "
                    "such as one of another release, and end it",
                    self._name,
                    shard,
                    extra=extra,
                )

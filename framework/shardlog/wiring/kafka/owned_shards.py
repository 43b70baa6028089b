"""The shards of one executor process: begun when they are assigned to it, left when they are another's."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import NamedTuple

from shardlog.errors import JournalError, JournalRefused
from shardlog.executor.mode import Mode
from shardlog.executor.recovering import RecoveryThreads
from shardlog.executor.runner import Executor
from shardlog.executor.shard import TRANSIENT, ShardExecutor
from shardlog.ownership.assignments import Assignments

log = logging.getLogger("shardlog.executor")
BEGIN_AGAIN_MIN_MS = 100.0
BEGIN_AGAIN_MAX_MS = 15_000.0
"""How long a shard that could not be recovered is left alone; twice as long each time."""


class _Leaving(NamedTuple):
    """A shard that is another's. since_ms: when that was seen, in monotonic time."""

    shard: ShardExecutor
    since_ms: float


class _Attempts(NamedTuple):
    """Recoveries in a row that came to nothing. again_ms: when the next one begins, in monotonic time. said: why."""

    times: int
    again_ms: float
    said: str


class OwnedShards:
    """Used from one thread. make: a shard that has read nothing yet.

    A shard recovers in a thread of its own, one after another, up to its claim; so those that are served go on
    meanwhile. snapshots: whether one is made before a shard is left, while it is served on; it is waited for no longer
    than leave_within_ms.
    """

    def __init__(
        self,
        executor: Executor,
        assignments: Assignments,
        make: Callable[[int], ShardExecutor],
        *,
        snapshots: bool,
        leave_within_ms: int,
    ) -> None:
        self._executor = executor
        self._assignments = assignments
        self._make = make
        self._snapshots = snapshots
        self._leave_within_ms = leave_within_ms
        self._shards: dict[int, ShardExecutor] = {}
        self._leaving: dict[int, _Leaving] = {}
        self._attempts: dict[int, _Attempts] = {}
        self._told: set[ShardExecutor] = set()
        self._has_served = False
        self._recovery = RecoveryThreads("shardlog-recovery", 1, self._recovered, sees_claim=False)

    # -- what is so now ------------------------------------------------------------------------------------------------
    @property
    def owned(self) -> dict[int, int]:
        """By shard that is served, the epoch of its claim."""
        return {number: shard.owned_epoch for number, shard in sorted(self._shards.items()) if shard.owned_epoch}

    @property
    def alive(self) -> frozenset[int]:
        """Those that have not stopped."""
        return frozenset(number for number, shard in self._shards.items() if shard.mode is not Mode.STOPPED)

    @property
    def failed(self) -> dict[int, BaseException]:
        """Those that should be served here and wait for somebody, with what stopped them."""
        mine = self._assignments.mine
        return {
            number: shard.error
            for number, shard in sorted(self._shards.items())
            if number in mine and shard.mode is Mode.STOPPED and shard.error is not None and not self._may_pass(shard)
        }

    @property
    def waiting(self) -> tuple[int, ...]:
        """Those that should be served here and are not, since the log takes no appends or cannot be read now."""
        mine = self._assignments.mine
        return tuple(
            number
            for number, shard in sorted(self._shards.items())
            if number in mine and not shard.owned_epoch and (shard.failing is not None or self._may_pass(shard))
        )

    # -- what is done about it -----------------------------------------------------------------------------------------
    def settle(self, now_ms: float) -> None:
        """Begin what is assigned here and not served, leave what is another's. Called after each look.

        A shard that stopped by an error is begun anew where that may pass by itself, with growing waits, or once it was
        another's meanwhile.
        """
        mine = self._assignments.mine
        for number in sorted(mine):
            shard = self._shards.get(number)
            if shard is None or (shard.mode is Mode.STOPPED and shard.error is None):
                self._begin(number)
            elif shard.mode is Mode.STOPPED and self._may_pass(shard):
                self._begin_again(number, now_ms)
        for number, shard in list(self._shards.items()):
            if number in mine:
                self._leaving.pop(number, None)
            elif shard.mode is Mode.STOPPED:
                self._forget(number)
            else:
                self._leave(shard, now_ms)

    def tell_failures(self) -> None:
        """Log each that has stopped by an error, once; one that fails in the same way again and again too."""
        for number, shard in self._shards.items():
            if shard.has_served:
                self._has_served = True
            if shard.owned_epoch:
                self._attempts.pop(number, None)
            if shard.mode is Mode.STOPPED and shard.error is not None and shard not in self._told:
                self._told.add(shard)
                self._tell(shard, shard.error)

    def end(self, within_s: float) -> None:
        """Finish what was taken, then stop all, at the end of that time at the latest. Recoveries are given up."""
        for shard in self._shards.values():
            shard.drain()
        self._recovery.end()
        self._executor.drain(within_s)
        for shard in self._shards.values():
            shard.close()

    @property
    def unsettled(self) -> Mapping[int, int]:
        """After `end`: by shard, how many commands it had taken whose outcome it did not learn."""
        return {number: shard.unsettled for number, shard in sorted(self._shards.items()) if shard.unsettled}

    # -- one shard -----------------------------------------------------------------------------------------------------
    def _may_pass(self, shard: ShardExecutor) -> bool:
        """Whether what stopped it was a fault of the log that may be over.

        Being refused may be over only where this process was not refused before: at a start a setting is wrong.
        """
        kind = type(shard.error)
        return kind in TRANSIENT and (kind is not JournalRefused or shard.has_served or self._has_served)

    def _tell(self, shard: ShardExecutor, error: BaseException) -> None:
        if not self._may_pass(shard):
            log.critical(
                "shard %d has stopped and waits for somebody; the others go on. Repair it, then restart this "
                "executor: %s",
                shard.number,
                error,
            )
            return
        before = self._attempts.get(shard.number)
        if before is None or before.said != str(error):
            log.warning("shard %d cannot be recovered now, and is begun again: %s", shard.number, error)
        if before is not None:
            self._attempts[shard.number] = before._replace(said=str(error))
        else:
            self._attempts[shard.number] = _Attempts(0, 0.0, str(error))

    def _begin(self, number: int) -> None:
        before = self._shards.get(number)
        if before is not None:
            self._told.discard(before)
        shard = self._shards[number] = self._make(number)
        self._recovery.recover(shard)

    def _begin_again(self, number: int, now_ms: float) -> None:
        attempts = self._attempts.get(number) or _Attempts(0, 0.0, "")
        if now_ms < attempts.again_ms:
            return
        wait_ms = min(BEGIN_AGAIN_MAX_MS, BEGIN_AGAIN_MIN_MS * 2 ** min(attempts.times, 10))
        self._attempts[number] = _Attempts(attempts.times + 1, now_ms + wait_ms, attempts.said)
        self._begin(number)

    def _recovered(self, shard: ShardExecutor) -> None:
        """The executor takes it from here."""
        self._executor.add(shard)
        if self._executor.has_ended:
            shard.fail_for_good(JournalError(f"shard {shard.number}: the build thread has ended; the log says why"))

    def _leave(self, shard: ShardExecutor, now_ms: float) -> None:
        leaving = self._leaving.get(shard.number)
        if leaving is None or leaving.shard is not shard:
            self._leaving[shard.number] = _Leaving(shard, now_ms)
            if self._snapshots and shard.owned_epoch:
                shard.snapshot().add_done_callback(lambda _asked: self._drain_if_left(shard))
            else:
                shard.drain()
        elif now_ms - leaving.since_ms > self._leave_within_ms:
            shard.drain()

    def _drain_if_left(self, shard: ShardExecutor) -> None:
        """Called in the thread that wrote the snapshot; the shard may have come back meanwhile."""
        if not self._assignments.is_mine(shard.number):
            shard.drain()
            self._executor.wake()

    def _forget(self, number: int) -> None:
        self._told.discard(self._shards.pop(number))
        self._leaving.pop(number, None)
        self._attempts.pop(number, None)
        self._executor.remove(number)

"""The build thread: steps the shards of this process, and sleeps when none of them has anything to do."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future

from shardlog.errors import AppendFailed
from shardlog.executor.interpreter import tune_for_serving
from shardlog.executor.mode import Mode
from shardlog.executor.recovering import RecoveryThreads
from shardlog.executor.requests import Waiting
from shardlog.executor.shard import ShardExecutor
from shardlog.executor.stepping import step_or_stop
from shardlog.ports.sends import At
from shardlog.snapshots.keys import SnapshotKey
from shardlog.telemetry.figures import ShardFigures

log = logging.getLogger("shardlog.executor")
LOOK_SECONDS = 0.1
IDLE_SECONDS = 0.02
"""How long the thread sleeps at most; submits and reports wake it at once, inputs and deadlines are looked at
then."""
RECOVERIES_MAX = 64
"""How many shards wait at once for the log: to read what was appended while they did not serve, or to see a claim."""
END_SECONDS = 2.0
"""How long the step under way may take once all is to end."""


class Executor:
    """All shards that this process serves, in one thread: they share an interpreter lock anyway.

    recovers_beside: a shard that has to ask the log before it serves again does so in another thread, so that the
    others don't wait for the log's brokers. Not needed where the log is at hand.
    """

    def __init__(self, shards: Mapping[int, ShardExecutor], *, recovers_beside: bool = False) -> None:
        self._recovery = RecoveryThreads("shardlog-reread", RECOVERIES_MAX, self.add) if recovers_beside else None
        self._away: set[ShardExecutor] = set()
        self._shards: Mapping[int, ShardExecutor] = dict(shards)
        self._changing = threading.Lock()
        self._joining: deque[ShardExecutor] = deque()
        self._wake = threading.Event()
        self._is_asleep = False
        self._is_stopping = False
        self._is_draining = False
        self._served = threading.Event()
        self._thread = threading.Thread(target=self._run, name="shardlog-executor", daemon=True)
        for shard in self._shards.values():
            shard.on_report(self.wake)
            shard.on_arrival(self.arrived)

    def start(self, serve_within_s: float) -> None:
        """Recover, claim and serve every shard.

        Raises what stopped a shard, AppendFailed where a claim failed again and again, or TimeoutError.
        """
        self._thread.start()
        give_up = time.monotonic() + serve_within_s
        while not self._served.wait(LOOK_SECONDS):
            for number, shard in self._shards.items():
                if shard.failing is not None:
                    raise AppendFailed(f"shard {number} cannot be claimed: {shard.failing}")
            if time.monotonic() > give_up:
                raise TimeoutError(f"the shards were not served within {serve_within_s} s: {self.describe()}")
        self.raise_error()

    def add(self, shard: ShardExecutor) -> None:
        """Serve one shard more, or one anew that has stopped, or one that was handed over and comes back.

        From any thread; it takes requests once this returns.
        """
        shard.on_report(self.wake)
        shard.on_arrival(self.arrived)
        with self._changing:
            if shard.mode is not Mode.STOPPED or shard.number not in self._shards:
                self._shards = {**self._shards, shard.number: shard}
        self._joining.append(shard)
        self._wake.set()

    def remove(self, number: int) -> None:
        """Forget a shard that has stopped. From any thread; `submit` raises KeyError for it from here on."""
        with self._changing:
            self._shards = {known: shard for known, shard in self._shards.items() if known != number}

    @property
    def has_ended(self) -> bool:
        """Whether the build thread ran and has ended."""
        return self._thread.ident is not None and not self._thread.is_alive()

    def shard(self, number: int) -> ShardExecutor | None:
        """The shard that was added last under this number; None where none was."""
        return self._shards.get(number)

    def submit(self, shard: int, request: Waiting) -> None:
        """Hand a command or a read to its shard; the answer goes to its sink. From any thread.

        Raises KeyError for a shard that this process does not serve.
        """
        self._shards[shard].submit(request)
        if self._is_asleep:
            self._wake.set()

    def wake(self) -> None:
        """There is something to do."""
        if self._is_asleep:
            self._wake.set()

    def arrived(self) -> None:
        """Records have come in for an input that had none. From any thread.

        Unlike reports, which leave something to be found before the thread sleeps, they must not be missed while it is
        about to.
        """
        self._wake.set()

    def drain(self, within_s: float) -> None:
        """Take no more requests, let what is under way be acknowledged, then end."""
        self._is_draining = True
        for shard in self._shards.values():
            shard.drain()
        self._wake.set()
        self._thread.join(within_s)
        self._end()

    def stop(self) -> None:
        """End now: what is pending may still land, and a restart finds out."""
        self._end()

    def raise_error(self) -> None:
        """Raise what stopped a shard, if one has stopped."""
        for shard in self._shards.values():
            if shard.error is not None:
                raise shard.error

    @property
    def frames(self) -> int:
        """How many frames were acknowledged since this started, over all shards."""
        return sum(shard.frames for shard in self._shards.values())

    def settled(self, input: str) -> int:
        """How many records of an input are settled by acknowledged frames, over all shards."""
        return sum(shard.settled(input) for shard in self._shards.values())

    def figures(self) -> list[ShardFigures]:
        """What every shard shows of itself to metrics. From any thread, and without I/O."""
        return [shard.figures() for _, shard in sorted(self._shards.items())]

    @property
    def modes(self) -> dict[int, str]:
        """By shard, where it is on its way."""
        return {number: shard.mode.value for number, shard in sorted(self._shards.items())}

    @property
    def owned(self) -> dict[int, int]:
        """By shard that is served, the epoch of its claim."""
        return {number: shard.owned_epoch for number, shard in sorted(self._shards.items()) if shard.owned_epoch}

    def snapshots(self) -> list[Callable[[], Future[SnapshotKey]]]:
        """What asks each shard for a snapshot. From any thread."""
        return [shard.snapshot for shard in self._shards.values()]

    def describe(self) -> str:
        """Where each shard is, for messages."""
        return ", ".join(f"shard {number}: {shard.mode.value}" for number, shard in sorted(self._shards.items()))

    def _end(self) -> None:
        self._is_stopping = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(END_SECONDS)
        if self._recovery is not None:
            self._recovery.end()
        for shard in self._shards.values():
            shard.close()
        if self._thread.is_alive():  # it waited for somebody; its shards are closed, so it does nothing more
            self._thread.join(END_SECONDS)

    @property
    def received(self) -> dict[int, Mapping[int, At]]:
        """By target shard and source shard, the last send that acknowledged frames have taken."""
        return {number: shard.received for number, shard in self._shards.items()}

    def _run(self) -> None:
        try:
            self._step_until_stopped(list(self._shards.values()))
        except BaseException as error:
            log.critical("the build thread ended; its shards are stopped", exc_info=error)
            for shard in self._shards.values():
                shard.fail_for_good(error)
            self._served.set()
            raise

    def _step_until_stopped(self, shards: list[ShardExecutor]) -> None:
        is_tuned = False
        while not self._is_stopping:
            while self._joining:
                joining = self._joining.popleft()
                is_tuned = is_tuned and joining in self._away
                self._away.discard(joining)
                if joining.mode is not Mode.STOPPED:
                    shards = [s for s in shards if s.number != joining.number and s.mode is not Mode.STOPPED]
                    shards.append(joining)
            if self._recovery is not None:
                shards = self._hand_over(shards, self._recovery)
            moved = False
            for shard in shards:
                if self._is_stopping:
                    return
                moved |= step_or_stop(shard)
            if not is_tuned and not self._away and all(shard.mode in _SETTLED for shard in shards):
                tune_for_serving()
                is_tuned = True
                self._served.set()
            if self._is_draining and self._have_all_stopped(shards):
                return
            if not moved:
                self._sleep(shards)

    def _hand_over(self, shards: list[ShardExecutor], recovery: RecoveryThreads) -> list[ShardExecutor]:
        """Those that need no broker to be stepped; the others are stepped elsewhere until they come back."""
        leaving = [shard for shard in shards if shard.mode is not Mode.SERVING and shard.mode.asks_the_log]
        if not leaving:
            return shards
        self._away.update(leaving)
        for shard in leaving:
            recovery.recover(shard)
        return [shard for shard in shards if shard not in leaving]

    def _have_all_stopped(self, shards: list[ShardExecutor]) -> bool:
        return not self._away and not self._joining and all(shard.mode is Mode.STOPPED for shard in shards)

    def _sleep(self, shards: list[ShardExecutor]) -> None:
        self._is_asleep = True
        if not self._joining and not any(shard.has_work for shard in shards):
            self._wake.wait(IDLE_SECONDS)
        self._is_asleep = False
        self._wake.clear()


_SETTLED = frozenset({Mode.SERVING, Mode.STOPPED})

"""How fast a snapshot is encoded: a share of one core, so that the thread that decides commands keeps the rest."""

from __future__ import annotations

import threading
import time

from shardlog.errors import SnapshotFailed

WORK_SECONDS = 0.001
"""How long it works at least between two rests."""


class Pace:
    """For one thread. share: of one core's time that it takes, above 0 to 1.

    Waiting for the interpreter, while another thread has it, is rest as well.
    """

    def __init__(self, share: float, cancelled: threading.Event) -> None:
        self._seconds_per_work = 1 / share
        self._cancelled = cancelled
        self._began = time.perf_counter()
        self._worked_before = time.thread_time()

    def rest(self) -> None:
        """Called between small pieces of work. Raises SnapshotFailed once the work is cancelled."""
        if self._cancelled.is_set():
            raise _given_up()
        if time.perf_counter() - self._began < WORK_SECONDS:
            return  # nor has it worked longer than that, and this clock is the cheaper one
        worked = time.thread_time() - self._worked_before
        if worked < WORK_SECONDS:
            return
        rest = worked * self._seconds_per_work - (time.perf_counter() - self._began)
        if rest > 0 and self._cancelled.wait(rest):
            raise _given_up()
        self._began, self._worked_before = time.perf_counter(), time.thread_time()


def _given_up() -> SnapshotFailed:
    return SnapshotFailed("the snapshot was given up: the shard stops")

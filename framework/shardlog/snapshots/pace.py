"""How fast a snapshot is encoded: a share of one core, so that the thread that decides commands keeps the rest."""

from __future__ import annotations

import threading
import time

from shardlog.errors import SnapshotFailed

WORK_SECONDS = 0.001
"""How long it works at least between two rests."""


class Pace:
    """For one thread. share: of the interpreter's time that its thread takes, above 0 to 1.

    It counts the thread's processor time, so waiting for the interpreter is rest as well.
    """

    def __init__(self, share: float, cancelled: threading.Event) -> None:
        self._rest_per_work = 1 / share - 1
        self._cancelled = cancelled
        self._worked_until = time.thread_time()

    def rest(self) -> None:
        """Called between small pieces of work. Raises SnapshotFailed once the work is cancelled."""
        worked = time.thread_time() - self._worked_until
        if worked < WORK_SECONDS:
            return
        if self._cancelled.wait(worked * self._rest_per_work):
            raise SnapshotFailed("the snapshot was given up: the shard stops")
        self._worked_until = time.thread_time()

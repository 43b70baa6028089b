"""An outage of the projections' database: told once when it begins, and once when it is over, for a whole process."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable
from time import monotonic

from shardlog.errors import StoreUnavailable

MEETINGS_TOLD = 2
"""What meets it once and gets through at the next try, such as a deadlock, is no outage."""
log = logging.getLogger("shardlog.projector")


class Outage:
    """What all who write to one database in a process find there. From any thread. now_s: a clock that does not go
    back, in seconds."""

    def __init__(self, now_s: Callable[[], float] = monotonic) -> None:
        self._now_s = now_s
        self._lock = threading.Lock()
        self._met: dict[Hashable, int] = {}
        self._since_s = 0.0
        self._is_told = False

    def met(self, who: Hashable, error: StoreUnavailable) -> None:
        """Who asks the database again after this error."""
        with self._lock:
            if not self._met:
                self._since_s = self._now_s()
            self._met[who] = self._met.get(who, 0) + 1
            if not self._is_told and self._met[who] >= MEETINGS_TOLD:
                self._is_told = True
                log.warning("the projections' database is asked again until it does what it should: %s", error)

    def passed(self, who: Hashable) -> None:
        """Who has met it gets through again. It is over when all of them do."""
        if who not in self._met:
            return
        with self._lock:
            self._met.pop(who, None)
            if self._is_told and not self._met:
                self._is_told = False
                took_s = self._now_s() - self._since_s
                log.warning("the projections' database does again what it should, after %.1f s", took_s)

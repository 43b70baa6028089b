"""Where snapshots are written: beside the build thread, one at a time in a process."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable


class Background(ABC):
    """One place for one piece of work. It is taken and given work by the build thread."""

    @abstractmethod
    def take(self) -> bool:
        """Take the place; False where it is taken."""

    @abstractmethod
    def give_back(self) -> None:
        """There is no work after all."""

    @abstractmethod
    def run(self, work: Callable[[], None]) -> None:
        """Do the work, which does not raise; the place is free behind it. Returns at once."""


class BackgroundThread(Background):
    """A thread for as long as there is work."""

    def __init__(self) -> None:
        self._place = threading.Lock()
        self._thread: threading.Thread | None = None

    def take(self) -> bool:
        return self._place.acquire(blocking=False)

    def give_back(self) -> None:
        self._place.release()

    def run(self, work: Callable[[], None]) -> None:
        def run() -> None:
            try:
                work()
            finally:
                self._place.release()

        self._thread = threading.Thread(target=run, name="shardlog-snapshots", daemon=True)
        self._thread.start()

    def join(self, within_s: float) -> None:
        """Wait for the work that is under way."""
        if self._thread is not None:
            self._thread.join(within_s)

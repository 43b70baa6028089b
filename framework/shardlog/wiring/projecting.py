"""The thread that keeps the projections of an embedded engine."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from shardlog.model.application import Application
from shardlog.ports.journal import Journal
from shardlog.ports.projections import ProjectionStore
from shardlog.projector.runner import Projector

IDLE_SECONDS = 0.02


class ProjectionThread:
    """Steps a projector until it is stopped."""

    def __init__(
        self, journal: Journal, journal_id: str, shards: int, application: Application, store: ProjectionStore
    ) -> None:
        self.error: Exception | None = None
        self._projector = Projector(
            journal, journal_id, shards, application, tuple(application.projections.values()), store
        )
        self._is_stopping = threading.Event()
        self._turn = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="shardlog-projector", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the transaction under way."""
        self._is_stopping.set()
        self._thread.join()

    def lag(self) -> int:
        """Records that the slowest projection has still to read, over all shards."""
        return self._projector.behind()

    @contextmanager
    def paused(self) -> Iterator[Projector]:
        """The projector between two batches, to look at dead letters, retry, skip, resume or rebuild."""
        with self._turn:
            yield self._projector

    def raise_error(self) -> None:
        """Raise what stopped a projection, if anything has; the others go on."""
        if self.error is not None:
            raise self.error
        for error in self._projector.stopped.values():
            raise error

    def wait_until_caught_up(self, timeout_s: float) -> None:
        """Wait until every projection has what the journal holds now. Raises TimeoutError, or what stopped them."""
        deadline = time.monotonic() + timeout_s
        while self.lag():
            self.raise_error()
            if time.monotonic() > deadline:
                raise TimeoutError(f"the projections are {self.lag()} frames behind after {timeout_s} s")
            time.sleep(0.005)
        self.raise_error()

    def _run(self) -> None:
        try:
            while not self._is_stopping.is_set():
                with self._turn:
                    moved = self._projector.step()
                if not moved:
                    self._is_stopping.wait(IDLE_SECONDS)
        except Exception as error:  # noqa: BLE001  # raised again where somebody waits
            self.error = error

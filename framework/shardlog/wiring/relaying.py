"""The thread that carries the sends of an embedded engine."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from shardlog.errors import StoreUnavailable
from shardlog.relay.runner import Relay
from shardlog.telemetry.figures import RelayFigures

log = logging.getLogger("shardlog.relay")
IDLE_SECONDS = 0.02
UNDER_WAY_SECONDS = 0.002
"""How long it waits before it looks again, so that it reads many frames at once and leaves the interpreter to the build
thread. While sends are under way, what they lead to is looked for sooner."""


class RelayThread:
    """Steps a relay until it is stopped. arrived: called where something new is there for the targets."""

    def __init__(self, relay: Relay, arrived: Callable[[], None]) -> None:
        self._relay = relay
        self._arrived = arrived
        self._error: Exception | None = None
        self._is_stopping = threading.Event()
        self._turn = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="shardlog-relay", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, without waiting for sends under way: they stand in the journal, and the next start carries them.

        After an error that was not foreseen nothing more is stored: nobody knows what the relay had done by then.
        """
        self._is_stopping.set()
        self._thread.join()
        if self._error is None:
            self._relay.flush()

    def figures(self) -> list[RelayFigures]:
        """What the relay shows of itself to metrics. It waits for nothing."""
        return self._relay.figures()

    def behind(self) -> int:
        """Records not read, sends not received and dead letters not stored, over all shards."""
        with self._turn:
            return self._relay.behind()

    def raise_error(self) -> None:
        """Raise what keeps sends or dead letters back, if anything does now and is not about to pass by itself."""
        if self._error is not None:
            raise self._error
        for error in list(self._relay.errors.values()):
            if not isinstance(error, StoreUnavailable):
                raise error

    def wait_until_received(self, timeout_s: float) -> None:
        """Wait until all that was sent is received, and all that this led to. Raises TimeoutError, or what is wrong."""
        deadline = time.monotonic() + timeout_s
        while behind := self.behind():
            self.raise_error()
            if time.monotonic() > deadline:
                raise TimeoutError(f"{behind} records and sends are under way after {timeout_s} s")
            time.sleep(0.005)
        self.raise_error()

    def _run(self) -> None:
        try:
            while not self._is_stopping.is_set():
                found = self._relay.found
                with self._turn:
                    is_more_there = self._relay.step()
                if self._relay.found > found:
                    self._arrived()
                if not is_more_there:
                    self._is_stopping.wait(UNDER_WAY_SECONDS if self._relay.held else IDLE_SECONDS)
        except Exception as error:
            log.exception("the relay stopped; sends and dead letters wait for the next start")
            self._error = error

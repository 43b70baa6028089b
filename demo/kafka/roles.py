"""The processes of a run: started, watched, and ended in an order in which each finishes what it was given."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from shardlog.testing.services.processes import ServiceProcess

SERVE_SECONDS = 120.0
END_SECONDS = 60.0
LOOK_SECONDS = 0.05
SERVING_MARK = '"role":'
"""Stands in the line by which a role says that it serves."""


class Roles:
    """Executors, relay, projector and producer over the settings in this file. Used as a context manager.

    Each writes to a log beside the settings. They end with this process, however that ends.
    """

    def __init__(self, settings: Path, executors: int, months: int) -> None:
        self._settings = settings
        self._executors = executors
        self._months = months
        self._serving: list[ServiceProcess] = []
        self._producer: ServiceProcess | None = None

    def start(self) -> None:
        """Start all, and return when each serves. Raises ServiceFailed with the end of the log of one that does not."""
        for ordinal in range(self._executors):
            self._serve(f"executor-{ordinal}", "executor", "--ordinal", str(ordinal))
        self._serve("relay", "relay")
        self._serve("projector", "projector")
        give_up = time.monotonic() + SERVE_SECONDS
        for process in self._serving:
            while SERVING_MARK not in self._log(process.name).read_text(errors="replace"):
                self.check()
                if time.monotonic() > give_up:
                    raise process.failed(f"did not serve within {SERVE_SECONDS:.0f} s")
                time.sleep(LOOK_SECONDS)
        producer = [sys.executable, "-m", "demo.kafka.producer", str(self._settings), str(self._months)]
        self._producer = self._process("producer", producer)

    def check(self) -> None:
        """Raises ServiceFailed where one has ended that should not have."""
        for process in self._serving:
            if not process.is_running:
                raise process.failed("has ended")
        if self._producer is not None and not self._producer.is_running and self._producer.exit_code:
            raise self._producer.failed(f"ended with exit code {self._producer.exit_code}")

    def stop(self) -> None:
        """End them as an operator does, by SIGTERM. Raises ServiceFailed where one does not end, or ends badly."""
        for process in self._serving:
            process.stop(END_SECONDS)
            if process.exit_code:
                raise process.failed(f"ended with exit code {process.exit_code}")

    def __enter__(self) -> Roles:
        return self

    def __exit__(self, *_: object) -> None:
        """Whatever still runs is of no use any more."""
        for process in (*self._serving, *([self._producer] if self._producer is not None else [])):
            if process.is_running:
                process.kill()

    def _serve(self, name: str, *arguments: str) -> None:
        command = [sys.executable, "-m", "shardlog.cli.main", "serve", *arguments, "--settings", str(self._settings)]
        self._serving.append(self._process(name, command))

    def _process(self, name: str, command: Sequence[str]) -> ServiceProcess:
        return ServiceProcess(name, command, Path.cwd(), self._log(name))

    def _log(self, name: str) -> Path:
        return self._settings.parent / f"{name}.log"

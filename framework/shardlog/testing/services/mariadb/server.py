"""A MariaDB server as a local process: on the loopback and a Unix socket, with a password, in its own folder."""

from __future__ import annotations

import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import pymysql

from shardlog.testing.services.errors import ServiceFailed
from shardlog.testing.services.mariadb.options import MariadbOptions
from shardlog.testing.services.mariadb.programs import Programs, needed_programs, server_user
from shardlog.testing.services.ports import free_ports
from shardlog.testing.services.processes import ServiceProcess

READY_SECONDS = 60.0
LOOK_SECONDS = 0.02
STARTS_MAX = 3
"""How often it is tried at another port, where another process took it meanwhile."""
PLAIN = MariadbOptions()


class MariadbServer:
    """One server, which can be started again on its data, at its port. As a context manager it serves inside of it, and
    nothing of it is left behind."""

    user = "shardlog"
    database = "shardlog"

    def __init__(self, options: MariadbOptions = PLAIN) -> None:
        self.options = options
        self.password = secrets.token_urlsafe(12)
        self.port = 0
        self.folder = Path(tempfile.mkdtemp(prefix="shardlog-maria-"))
        self.log = self.folder / "server.log"
        self._process: ServiceProcess | None = None

    @property
    def url(self) -> str:
        """Where it is, with user and password."""
        return f"mariadb://{self.user}:{self.password}@127.0.0.1:{self.port}/{self.database}"

    @property
    def name(self) -> str:
        """For messages."""
        return f"MariaDB at 127.0.0.1:{self.port}"

    @property
    def is_running(self) -> bool:
        """Whether its process has not ended; a paused one runs."""
        return self._process is not None and self._process.is_running

    def start(self, within_s: float = READY_SECONDS) -> None:
        """Start it, or start it again, and wait until it serves. Raises ServiceMissing and ServiceFailed."""
        if self.is_running:
            raise ServiceFailed(f"{self.name} runs already: stop or kill it first")
        if self._process is not None:
            self._process.forget()
            self._launch(within_s)
            return
        first = self._make_data()
        for attempt in range(1, STARTS_MAX + 1):
            (self.port,) = free_ports(1)
            try:
                self._launch(within_s, f"--init-file={first}")
                break
            except ServiceFailed as failure:
                if attempt == STARTS_MAX or "Address already in use" not in str(failure):
                    raise
                self._running().forget()
        first.unlink()

    def kill(self) -> None:
        """SIGKILL to the server, which has no other process."""
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
                self._process.kill()
            self._process.forget()
        shutil.rmtree(self.folder, ignore_errors=True)

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query, over the Unix socket."""
        with self._connected() as connection, connection.cursor() as cursor:
            cursor.execute(query)
            return list(cursor.fetchall())

    def __enter__(self) -> MariadbServer:
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

    @property
    def _socket(self) -> Path:
        return self.folder / "socket"

    @contextmanager
    def _connected(self) -> Iterator[pymysql.Connection[Any]]:
        connection = pymysql.connect(
            unix_socket=str(self._socket),
            user=self.user,
            password=self.password,
            database=self.database,
            autocommit=True,
        )
        try:
            yield connection
        finally:
            connection.close()

    def _make_data(self) -> Path:
        """Make the data folder; returns the statements that the first start runs before it takes connections."""
        programs, first = needed_programs(), self.folder / "first.sql"
        first.touch(mode=0o600)
        first.write_text("\n".join(_first_statements(self.user, self.password, self.database)))
        if (user := server_user()) is not None:
            for path in (self.folder, first):
                shutil.chown(path, user)
        command = [str(programs.install_db), "--no-defaults", f"--basedir={programs.base}", f"--datadir={self._data}"]
        command += ["--skip-test-db", "--auth-root-authentication-method=normal", *_as_user()]
        command += [f"--innodb-log-file-size={self.options.all_settings()['innodb-log-file-size']}"]
        done = subprocess.run(
            [*programs.prefix(), *command],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ServiceFailed(f"{' '.join(command)} ended with {done.returncode}: {done.stdout}")
        return first

    def _launch(self, within_s: float, *more: str) -> None:
        programs = needed_programs()
        process = self._process = ServiceProcess(self.name, self._command(programs, *more), self.folder, self.log)
        give_up = time.monotonic() + within_s
        while not self._is_ready():
            if not process.is_running:
                raise process.failed("ended before it served")
            if time.monotonic() > give_up:
                raise process.failed(f"did not serve within {within_s} s")
            time.sleep(LOOK_SECONDS)

    def _command(self, programs: Programs, *more: str) -> list[str]:
        settings = {
            **self.options.all_settings(),
            "basedir": str(programs.base),
            "datadir": str(self._data),
            "tmpdir": str(self.folder),
            "socket": str(self._socket),
            "pid-file": str(self.folder / "pid"),
            "bind-address": "127.0.0.1",
            "port": str(self.port),
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        return [*programs.prefix(), str(programs.server), "--no-defaults", *_as_user(), *options, *more]

    def _is_ready(self) -> bool:
        """It listens first, and then runs its first statements; PyMySQL leaves open what nobody listens at."""
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(self._socket)) != 0:
                return False
        try:
            return self.ask("SELECT 1") == [(1,)]
        except pymysql.Error:
            return False

    def _running(self) -> ServiceProcess:
        if self._process is None:
            raise ServiceFailed(f"{self.name} was not started")
        return self._process


def _as_user() -> tuple[str, ...]:
    """The server itself becomes somebody else: so it can read programs that only root can reach."""
    user = server_user()
    return () if user is None else (f"--user={user}",)


def _first_statements(user: str, password: str, database: str) -> list[str]:
    """One user with a password, of this host; nobody else comes in, not without a name nor as root."""
    who = [f"'{user}'@'{host}'" for host in ("localhost", "127.0.0.1")]
    return [
        f"CREATE DATABASE {database} CHARACTER SET utf8mb4;",
        *(f"CREATE USER {name} IDENTIFIED BY '{password}';" for name in who),
        *(f"GRANT ALL PRIVILEGES ON *.* TO {name} WITH GRANT OPTION;" for name in who),
        f"DELETE FROM mysql.global_priv WHERE User NOT IN ('{user}', 'mariadb.sys');",  # noqa: S608  # our own name
        "FLUSH PRIVILEGES;",
        "",
    ]

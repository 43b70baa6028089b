"""A MariaDB server as a local process: on the loopback and a Unix socket, with a password, in its own folder."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pymysql

from shardlog.testing.services.database import READY_SECONDS, DatabaseServer
from shardlog.testing.services.errors import ServiceFailed
from shardlog.testing.services.mariadb.options import MariadbOptions
from shardlog.testing.services.mariadb.programs import needed_programs, server_user

PLAIN = MariadbOptions()


class MariadbServer(DatabaseServer):
    """MariaDB of the programs at hand, or of those that are fetched, as a user without rights where root starts it."""

    product = "MariaDB"
    scheme = "mariadb"
    database = "shardlog"

    def __init__(self, options: MariadbOptions = PLAIN) -> None:
        super().__init__()
        self.options = options

    def start(self, within_s: float = READY_SECONDS) -> None:
        """As of every server; the statements of the first start, which hold the password, are deleted behind it."""
        super().start(within_s)
        self._first.unlink(missing_ok=True)

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query, over the Unix socket."""
        with self._connected() as connection, connection.cursor() as cursor:
            cursor.execute(query)
            return list(cursor.fetchall())

    @property
    def _socket(self) -> Path:
        return self.folder / "socket"

    @property
    def _first(self) -> Path:
        return self.folder / "first.sql"

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

    def _make_data(self) -> Sequence[str]:
        """The first start runs statements before it takes connections."""
        programs, first = needed_programs(), self._first
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
        return [f"--init-file={first}"]

    def _command(self) -> Sequence[str]:
        programs = needed_programs()
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
        return [*programs.prefix(), str(programs.server), "--no-defaults", *_as_user(), *options]

    def _is_ready(self, pid: int) -> bool:
        """It listens first, and then runs its first statements; PyMySQL leaves open what nobody listens at."""
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(self._socket)) != 0:
                return False
        try:
            return self.ask("SELECT 1") == [(1,)]
        except pymysql.Error:
            return False


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

"""A PostgreSQL server of our own for the time of a benchmark: fresh, durable, on a Unix socket in a temporary folder.

fsync and synchronous_commit are on, and a transaction is on disk before its caller hears of it. The memory settings are
those of a machine that has some to spare, and no checkpoint falls into a run of less than 15 minutes.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

MAJOR = 15
FOLDERS = (f"/usr/lib/postgresql/{MAJOR}/bin", f"/usr/pgsql-{MAJOR}/bin", f"/opt/homebrew/opt/postgresql@{MAJOR}/bin")
INSTALL = (
    f"PostgreSQL {MAJOR} with pgbench is not here: install it (Debian: apt-get install postgresql-{MAJOR}) or put its "
    "bin folder into PATH"
)
USERS = ("postgres", "nobody")
"""As whom it runs where this process is root, which PostgreSQL refuses; the first that exists."""
PORT = 5432
"""Part of the socket's name; nothing listens on the network."""
SETTINGS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "listen_addresses": "''",
    "max_connections": "200",
    "shared_buffers": "1GB",
    "max_wal_size": "16GB",
    "checkpoint_timeout": "15min",
    "autovacuum": "off",
}
START_SECONDS = 60


class Server(NamedTuple):
    """A server that runs. binaries: the folder of its programs. folder: of its data and its socket."""

    binaries: Path
    folder: Path
    as_user: tuple[str, ...]

    def run(self, program: str, *arguments: str) -> str:
        """Run one of PostgreSQL's own clients against it; returns what it prints. Raises CalledProcessError."""
        command = [str(self.binaries / program), "-h", str(self.folder), "-p", str(PORT), "-U", "bench", *arguments]
        return _run(self.as_user, command)

    def ask(self, query: str) -> list[str]:
        """The fields of the query's only row."""
        return self.run("psql", "-X", "-A", "-t", "-F", " ", "-c", query, "postgres").split()


def find_binaries() -> Path | None:
    """The folder with initdb, postgres and pgbench of the version that we compare with; None where there is none."""
    in_path = shutil.which("pgbench")
    folders = [Path(folder) for folder in FOLDERS] + ([Path(in_path).resolve().parent] if in_path else [])
    for folder in folders:
        if all((folder / program).exists() for program in ("initdb", "pg_ctl", "postgres", "pgbench", "psql")):
            said = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
            if said.split()[2].startswith(f"{MAJOR}."):
                return folder
    return None


@contextmanager
def running(binaries: Path) -> Iterator[Server]:
    """A fresh server in a temporary folder; at the end it is stopped, and its folder is gone."""
    with tempfile.TemporaryDirectory(prefix="shardlog-pg-") as place:
        server = Server(binaries, Path(place), _other_user(Path(place)))
        _start(server)
        try:
            yield server
        finally:
            _run(server.as_user, [*_control(server), "-m", "fast", "stop"])  # by the process id in its folder


def _start(server: Server) -> None:
    binaries, folder, as_user = server
    data = folder / "data"
    initdb = [str(binaries / "initdb"), "-D", str(data), "-U", "bench", "--auth=trust", "--encoding=UTF8", "--locale=C"]
    _run(as_user, initdb)
    options = " ".join(f"-c {name}={value}" for name, value in SETTINGS.items())
    log = str(folder / "server.log")
    _run(as_user, [*_control(server), "-l", log, "-o", f"-k {folder} -p {PORT} {options}", "start"])


def _control(server: Server) -> list[str]:
    return [str(server.binaries / "pg_ctl"), "-D", str(server.folder / "data"), "-w", "-t", str(START_SECONDS)]


def _other_user(folder: Path) -> tuple[str, ...]:
    """What to put before a command so that it runs as somebody who is not root; the folder becomes theirs."""
    if os.geteuid() != 0:
        return ()
    names = {user.pw_name: user for user in pwd.getpwall()}
    user = next(names[name] for name in USERS if name in names)
    os.chown(folder, user.pw_uid, user.pw_gid)
    return ("setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups")


def _run(as_user: tuple[str, ...], command: list[str]) -> str:
    with open(os.devnull, "rb") as nothing:
        done = subprocess.run(
            [*as_user, *command],
            stdin=nothing,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stdout}")
    return done.stdout

"""A PostgreSQL server as a local process: on the loopback and a Unix socket, with a password, in its own folder."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Sequence

from shardlog.testing.services.database import DatabaseServer
from shardlog.testing.services.errors import ServiceFailed
from shardlog.testing.services.postgresql.options import PostgresqlOptions
from shardlog.testing.services.postgresql.programs import as_other_user, needed_programs
from shardlog.testing.services.processes import ServiceProcess, tail

SHARED_MEMORY_IN_USE = "pre-existing shared memory block"
PLAIN = PostgresqlOptions()


class PostgresqlServer(DatabaseServer):
    """PostgreSQL of the programs at hand, as a user without rights where root starts it."""

    product = "PostgreSQL"
    scheme = "postgresql"
    database = "postgres"

    def __init__(self, options: PostgresqlOptions = PLAIN) -> None:
        super().__init__()
        self.options = options

    def run(self, program: str, *arguments: str) -> str:
        """Run one of PostgreSQL's own clients against it, over the Unix socket; returns what it prints.

        Raises ServiceFailed, with the client's words.
        """
        who = ["-h", str(self.folder), "-p", str(self.port), "-U", self.user]
        return self._done([str(needed_programs() / program), *who, *arguments])

    def ask(self, query: str) -> list[str]:
        """The fields of the query's only row."""
        return self.run("psql", "-X", "-A", "-t", "-F", " ", "-c", query, self.database).split()

    def _make_data(self) -> Sequence[str]:
        programs = needed_programs()
        password = self.folder / "password"
        password.write_text(self.password)
        who = ["-U", self.user, f"--pwfile={password}", "--auth=scram-sha-256"]
        command = [str(programs / "initdb"), "-D", str(self._data), *who, "--encoding=UTF8", "--locale=C", "--no-sync"]
        as_other_user(self.folder, password)
        password.chmod(0o600)
        self._done(command)
        return ()

    def _command(self) -> Sequence[str]:
        settings = {**self.options.all_settings(), "listen_addresses": "127.0.0.1", "port": str(self.port)}
        settings["unix_socket_directories"] = str(self.folder)
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [*as_other_user(self.folder), str(needed_programs() / "postgres"), "-D", str(self._data), *options]

    def _is_ready(self, pid: int) -> bool:
        """What pg_ctl looks at: the lock file names this process first, and its state last."""
        try:
            lines = (self._data / "postmaster.pid").read_text().split("\n")
        except FileNotFoundError:
            return False
        return lines[0] == str(pid) and len(lines) > 7 and lines[7].strip() == "ready"

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

    def _end(self, process: ServiceProcess) -> None:
        process.resume()
        os.kill(process.pid, signal.SIGQUIT)  # unlike SIGKILL it ends its children first, who write there

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

"""Where PostgreSQL's programs are on this host, and as whom they run."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from pathlib import Path

from shardlog.testing.services.errors import ServiceMissing

MAJOR = 15
FOLDERS = (f"/usr/lib/postgresql/{MAJOR}/bin", f"/usr/pgsql-{MAJOR}/bin", f"/opt/homebrew/opt/postgresql@{MAJOR}/bin")
PROGRAMS = ("initdb", "postgres", "pgbench", "psql")
INSTALL = (
    f"PostgreSQL {MAJOR} with pgbench is not here: install it (Debian: apt-get install postgresql-{MAJOR}), put its "
    "bin folder into PATH, or name a server that runs in SHARDLOG_POSTGRESQL"
)
USERS = ("postgres", "nobody")
"""As whom it runs where this process is root, which PostgreSQL refuses; the first that exists."""


def find_programs() -> Path | None:
    """The folder with PostgreSQL's programs, of the version that is tested; None where there is none."""
    in_path = shutil.which("pgbench")
    folders = [Path(folder) for folder in FOLDERS] + ([Path(in_path).resolve().parent] if in_path else [])
    for folder in folders:
        if all((folder / program).exists() for program in PROGRAMS):
            said = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
            if said.split()[2].startswith(f"{MAJOR}."):
                return folder
    return None


def needed_programs() -> Path:
    """The same folder. Raises ServiceMissing, with what to install."""
    folder = find_programs()
    if folder is None:
        raise ServiceMissing(INSTALL)
    return folder


def as_other_user(*folders: Path) -> tuple[str, ...]:
    """What to put before a command so that it runs as somebody who is not root; the folders become theirs."""
    if os.geteuid() != 0:
        return ()
    names = {user.pw_name: user for user in pwd.getpwall()}
    user = next((names[name] for name in USERS if name in names), None)
    if user is None or shutil.which("setpriv") is None:
        raise ServiceMissing(
            f"PostgreSQL does not run as root, and there is no user {' or '.join(USERS)}, or no setpriv (Debian: "
            "util-linux) to become one: start it as another user"
        )
    for folder in folders:
        os.chown(folder, user.pw_uid, user.pw_gid)
    return ("setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups")

"""MariaDB's programs: those of this host, else Debian's packages, fetched once and unpacked into the cache."""

from __future__ import annotations

import os
import platform
import pwd
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from shardlog.testing.services.cache import cache_folder, only_one
from shardlog.testing.services.errors import ServiceFailed, ServiceMissing

SERVER, INSTALL_DB = "mariadbd", "mariadb-install-db"
FOLDERS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/opt/homebrew/bin"
"""Looked into after PATH, where a user's PATH has no folders of servers."""
PACKAGES = ("mariadb-server-core", "mariadb-client-core")
"""Programs alone: no service is set up on the host."""
FETCH_SECONDS = 300.0
INSTALL = (
    "MariaDB is not here, and only on Debian and Ubuntu is it fetched: install it (Debian: apt-get install "
    "mariadb-server-core mariadb-client-core), or name a server that runs in SHARDLOG_MARIADB"
)
USERS = ("mysql", "nobody")
"""As whom it runs where this process is root, which MariaDB refuses; the first that exists."""


class Programs(msgspec.Struct, frozen=True):
    """base: the folder over `bin`, `sbin` and `share`. libraries: where what Debian's packages brought is found."""

    server: Path
    install_db: Path
    base: Path
    libraries: tuple[Path, ...] = ()

    def prefix(self) -> tuple[str, ...]:
        """What to put before a command so that the programs find their libraries."""
        if not self.libraries:
            return ()
        return ("env", "LD_LIBRARY_PATH=" + os.pathsep.join(map(str, self.libraries)))


def find_programs() -> Programs | None:
    """Those of this host; None where there are none."""
    path = os.pathsep.join((os.environ.get("PATH", ""), FOLDERS))
    server, install_db = shutil.which(SERVER, path=path), shutil.which(INSTALL_DB, path=path)
    if server is None or install_db is None:
        return None
    return Programs(Path(server), Path(install_db), Path(server).resolve().parent.parent)


def needed_programs() -> Programs:
    """Those of this host, else those in the cache; the first call fetches them.

    Safe while other processes do the same: one fetches, the others wait for it. Raises ServiceMissing, with what to
    install, where there is no apt, and ServiceFailed where it does not bring them.
    """
    if found := find_programs():
        return found
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise ServiceMissing(INSTALL)
    release = platform.freedesktop_os_release()
    folder = cache_folder() / f"mariadb-{release['ID']}-{release.get('VERSION_ID', 'testing')}-{platform.machine()}"
    if not folder.exists():
        with only_one(cache_folder() / "mariadb.lock"):
            if not folder.exists():
                _fetch(folder)
    base = folder / "usr"
    libraries = (*base.glob("lib/*-linux-gnu*"), *folder.glob("lib/*-linux-gnu*"))
    return Programs(base / "sbin" / SERVER, base / "bin" / INSTALL_DB, base, libraries)


def server_user() -> str | None:
    """As whom the server has to run; None where this process is not root. Raises ServiceMissing."""
    if os.geteuid() != 0:
        return None
    names = {user.pw_name for user in pwd.getpwall()}
    for name in USERS:
        if name in names:
            return name
    raise ServiceMissing(
        f"MariaDB does not run as root, and there is no user {' or '.join(USERS)}: start it as another"
    )


def _fetch(folder: Path) -> None:
    """Fetch beside the folder and rename: it is there whole or not at all. The host's own packages stay as they are."""
    with TemporaryDirectory(prefix="fetching-", dir=folder.parent) as name:
        place = Path(name)
        for made in ("lists/partial", "archives/partial", "root"):
            (place / made).mkdir(parents=True)
        own = {"Dir::State::Lists": place / "lists", "Dir::Cache": place, "Debug::NoLocking": "1"}
        if os.geteuid() == 0:
            own["APT::Sandbox::User"] = "root"  # another user could not write into this folder
        apt = ["apt-get", "-q", *(part for key, value in own.items() for part in ("-o", f"{key}={value}"))]
        _run([*apt, "update"], place)
        wanted = _run([*apt, "install", "--simulate", "--no-install-recommends", *PACKAGES], place)
        missing = [line.split()[1] for line in wanted.splitlines() if line.startswith("Inst ")]
        _run([*apt, "download", *missing], place)
        for package in sorted(place.glob("*.deb")):
            _run(["dpkg-deb", "--extract", str(package), str(place / "root")], place)
        (place / "root").rename(folder)


def _run(command: list[str], place: Path) -> str:
    try:
        done = subprocess.run(
            command,
            cwd=place,
            capture_output=True,
            text=True,
            timeout=FETCH_SECONDS,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ServiceFailed(f"fetching MariaDB took longer than {FETCH_SECONDS} s: is there a network?") from error
    if done.returncode != 0:
        said = (done.stdout + done.stderr)[-2_000:]
        raise ServiceFailed(f"MariaDB could not be fetched: {' '.join(command)} ended with {done.returncode}: {said}")
    return done.stdout

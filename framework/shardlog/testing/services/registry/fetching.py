"""The registry's program: fetched once by Maven from Maven Central, and kept."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shardlog.testing.services.errors import ServiceMissing

VERSION = "2.6.13.Final"
"""The newest that runs on Java 17; version 3 wants Java 21."""
ARTIFACT = f"io.apicurio:apicurio-registry-app:{VERSION}:zip:all"
PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"
FETCH_SECONDS_MAX = 600
OUTPUT_CHARACTERS_SHOWN = 2_000


def cache_folder() -> Path:
    """`$SHARDLOG_CACHE`, else `~/.cache/shardlog`."""
    given = os.environ.get("SHARDLOG_CACHE")
    return Path(given) if given else Path.home() / ".cache" / "shardlog"


def needed(program: str, package: str) -> str:
    """The program's path. Raises ServiceMissing."""
    found = shutil.which(program)
    if found is None:
        raise ServiceMissing(f"{program} is not on the path: install it, on Debian with `apt-get install {package}`")
    return found


def fetched() -> Path:
    """The folder with the program, fetched where it is not there yet; two processes may ask at once.

    Raises ServiceMissing where it cannot be fetched.
    """
    cache = cache_folder()
    home = cache / f"apicurio-registry-{VERSION}"
    if home.exists():
        return home
    maven = needed("mvn", "maven")
    cache.mkdir(parents=True, exist_ok=True)
    with _locked(cache / "apicurio-registry.lock"):
        if not home.exists():
            _fetch(maven, cache, home)
    return home


def _fetch(maven: str, cache: Path, home: Path) -> None:
    with tempfile.TemporaryDirectory(dir=cache, prefix="fetching-") as folder:
        arguments = [f"{PLUGIN}:copy", f"-Dartifact={ARTIFACT}", f"-DoutputDirectory={folder}"]
        try:
            ran = subprocess.run(  # a program and arguments of our own
                [maven, "-q", "-B", *arguments],
                cwd=folder,
                capture_output=True,
                text=True,
                timeout=FETCH_SECONDS_MAX,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise ServiceMissing(f"Maven did not fetch {ARTIFACT} within {FETCH_SECONDS_MAX} s") from error
        archive = next(Path(folder).glob("*.zip"), None)
        if ran.returncode != 0 or archive is None:
            said = (ran.stdout + ran.stderr)[-OUTPUT_CHARACTERS_SHOWN:]
            raise ServiceMissing(f"Maven could not fetch {ARTIFACT} into {cache}: {said}")
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(Path(folder) / "home")
        (Path(folder) / "home").rename(home)


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    with file.open("w") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield

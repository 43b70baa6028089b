"""Apache Kafka's jars: fetched once through Maven by the pinned pom beside this file, and kept in the cache."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from shardlog.testing.services.cache import cache_folder, only_one
from shardlog.testing.services.errors import ServiceFailed, ServiceMissing

POM = Path(__file__).with_name("pom.xml")
FETCH_SECONDS = 600.0
"""How long a first fetch may take."""
JAVA_MIN = 17


def java() -> str:
    """The java program of JAVA_HOME, else of the path. Raises ServiceMissing."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=f"{home}/bin") if home else None
    found = found or shutil.which("java")
    if found is None:
        raise ServiceMissing(
            f"Apache Kafka needs Java {JAVA_MIN} or newer, and there is no `java`: install it (Debian: apt-get install "
            "openjdk-17-jre-headless), or set SHARDLOG_KAFKA=host:port to a broker that runs"
        )
    return found


def jars() -> Path:
    """The folder that holds the jars; the first call fetches them. Raises ServiceMissing and ServiceFailed.

    Safe while other processes do the same: one fetches, the others wait for it.
    """
    pinned = hashlib.sha256(POM.read_bytes()).hexdigest()[:12]
    folder = cache_folder() / f"kafka-{pinned}"
    if not folder.exists():
        with only_one(cache_folder() / "kafka.lock"):
            if not folder.exists():
                _fetch(folder)
    return folder


def _fetch(folder: Path) -> None:
    """Fetch beside the folder and rename: it is there whole or not at all."""
    maven = shutil.which("mvn")
    if maven is None:
        raise ServiceMissing(
            f"Apache Kafka is not in {folder.parent} yet, and is fetched through Maven, and there is no `mvn`: install "
            "it (Debian: apt-get install maven), or set SHARDLOG_KAFKA=host:port to a broker that runs"
        )
    with TemporaryDirectory(prefix="fetching-", dir=folder.parent) as place:
        shutil.copy(POM, place)
        command = [
            maven,
            "-q",
            "-B",
            "dependency:copy-dependencies",
            "-DincludeScope=runtime",
            "-DoutputDirectory=jars",
        ]
        try:
            done = subprocess.run(
                command, cwd=place, capture_output=True, text=True, timeout=FETCH_SECONDS, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise ServiceFailed(
                f"fetching Apache Kafka took longer than {FETCH_SECONDS} s: is there a network?"
            ) from error
        if done.returncode != 0:
            raise ServiceFailed(f"Maven could not fetch Apache Kafka by {POM}:\n{(done.stdout + done.stderr)[-2_000:]}")
        (Path(place) / "jars").rename(folder)

"""The registry as a process: its own port, in memory, gone when it is closed."""

from __future__ import annotations

import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shardlog.testing.services.registry.fetching import fetched, needed

API = "/apis/ccompat/v7"
START_SECONDS_MAX = 120
STOP_SECONDS_MAX = 10
POLL_SECONDS = 0.1
LOG_CHARACTERS_SHOWN = 3_000

_listening = re.compile(r"Listening on: (http://127\.0\.0\.1:\d+)").search


class RegistryDidNotStart(Exception):
    """The process ended, or did not listen in time; the text has the end of its log."""


@contextmanager
def running_registry() -> Iterator[str]:
    """A registry on a free port of 127.0.0.1; gives the address of its Confluent-compatible API.

    Raises ServiceMissing where Java or Maven is missing, RegistryDidNotStart.
    """
    java = needed("java", "openjdk-17-jre-headless")
    program = next(fetched().glob("*-runner.jar"))
    with tempfile.TemporaryDirectory(prefix="shardlog-registry-") as folder:
        log = Path(folder) / "log"
        options = ["-Xmx256m", f"-Djava.io.tmpdir={folder}", "-Dquarkus.http.host=127.0.0.1", "-Dquarkus.http.port=0"]
        with log.open("wb") as output:
            process = subprocess.Popen(  # a program and arguments of our own
                [java, *options, "-jar", str(program)], cwd=folder, stdout=output, stderr=subprocess.STDOUT
            )
        try:
            yield _address(process, log) + API
        finally:
            _stop(process)


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline:
        said = log.read_text(errors="replace")
        found = _listening(said)
        if found:
            return found[1]
        if process.poll() is not None:
            raise RegistryDidNotStart(f"it ended with {process.returncode}:\n{said[-LOG_CHARACTERS_SHOWN:]}")
        time.sleep(POLL_SECONDS)
    said = log.read_text(errors="replace")[-LOG_CHARACTERS_SHOWN:]
    raise RegistryDidNotStart(f"it did not listen within {START_SECONDS_MAX} s:\n{said}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()

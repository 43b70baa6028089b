"""A service's process: started, stopped, killed, paused, and never left behind when its starter dies."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from shardlog.testing.services.errors import ServiceFailed

TAIL_LINES = 25
KILLED_SECONDS = 30.0
"""How long the system may take to end a process that was sent SIGKILL."""


class ServiceProcess:
    """One process with its log file. name: for messages. is_detached: whether it outlives its starter."""

    def __init__(
        self, name: str, command: Sequence[str], folder: Path, log: Path, *, is_detached: bool = False
    ) -> None:
        self.name = name
        self._log = log
        with log.open("ab") as output:
            self._popen = subprocess.Popen(
                list(command),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the starter, which then ends the service
            )
        self._guard = None if is_detached else _guard(self._popen.pid)

    @property
    def pid(self) -> int:
        """The system's number of it."""
        return self._popen.pid

    @property
    def is_running(self) -> bool:
        """Whether it has not ended; a paused one runs."""
        return self._popen.poll() is None

    @property
    def exit_code(self) -> int | None:
        """What it ended with, negative for a signal; None while it runs."""
        return self._popen.poll()

    def stop(self, within_s: float) -> None:
        """SIGTERM; raises ServiceFailed where it has not ended within this time, and kills it then."""
        if self.is_running:
            self._send(signal.SIGTERM)
            self._send(signal.SIGCONT)
        try:
            self._popen.wait(within_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise self.failed(f"did not end within {within_s} s of SIGTERM, and was killed") from None
        self._free()

    def kill(self) -> None:
        """SIGKILL; returns when it is gone."""
        self._send(signal.SIGKILL)
        self._popen.wait(KILLED_SECONDS)
        self._free()

    def forget(self) -> None:
        """Let go of one that has ended by itself."""
        self._popen.wait(KILLED_SECONDS)
        self._free()

    def pause(self) -> None:
        """SIGSTOP: it keeps its connections and answers nobody."""
        self._send(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self._send(signal.SIGCONT)

    def failed(self, why: str) -> ServiceFailed:
        """An error with the end of the log."""
        return ServiceFailed(f"{self.name} {why}. The end of {self._log}:\n{tail(self._log)}")

    def _send(self, what: signal.Signals) -> None:
        self._popen.send_signal(what)

    def _free(self) -> None:
        if self._guard is not None:
            self._guard.kill()
            self._guard.communicate()
            self._guard = None


def tail(log: Path, lines: int = TAIL_LINES) -> str:
    """The last lines of a file; says so where there are none."""
    if not log.exists():
        return "(there is no log)"
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) or "(the log is empty)"


def kill_by_pid(pid: int, mark: str) -> bool:
    """SIGKILL a process of an earlier run; False where there is none whose command line holds `mark`.

    The mark keeps another process that got the number meanwhile from being killed.
    """
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    if mark.encode() not in command:
        return False
    os.kill(pid, signal.SIGKILL)
    return True


def is_process_of(pid: int, mark: str, folder: Path) -> bool:
    """Whether a process of an earlier run still runs: its command line holds `mark`, and it works in this folder.

    The folder keeps another service of the same kind, that got the number after a restart of the host, from being taken
    for it. One that has ended and that nobody has waited for does not run.
    """
    process = Path(f"/proc/{pid}")
    try:
        return mark.encode() in (process / "cmdline").read_bytes() and (process / "cwd").resolve() == folder.resolve()
    except OSError:
        return False


def _guard(pid: int) -> subprocess.Popen[bytes]:
    """A process that kills this one when its starter is gone, even if that was killed itself: its pipe closes then."""
    return subprocess.Popen(
        ["sh", "-c", 'cat > /dev/null; kill -KILL "$0" 2> /dev/null', str(pid)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )

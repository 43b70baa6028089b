"""`shardlog dev` over a directory, to be killed: how long it takes until it serves, and where."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from time import perf_counter

from tests.services.bank_process import SHARDS
from tests.services.processes import ROOT

SETTINGS = """
[application]
domains = ["domain.banking:banking"]
projections = ["projections.banking:balances"]
[journal]
directory = "{directory}"
shards = {shards}
"""


class DevProcess:
    """One process, begun now. recovery_s: from its start until it took requests, None before."""

    def __init__(self, directory: Path) -> None:
        settings = directory.parent / f"{directory.name}.toml"
        settings.write_text(SETTINGS.format(directory=directory, shards=SHARDS))
        self.recovery_s: float | None = None
        self.port = 0
        self._errors = (directory.parent / f"{directory.name}.log").open("ab")
        self._began = perf_counter()
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "shardlog.cli.main", "dev", "--settings", str(settings), "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=self._errors,
            cwd=ROOT,
        )

    def wait_until_it_serves(self) -> None:
        """Read the line that says where it is."""
        assert self.popen.stdout is not None
        line = self.popen.stdout.readline()
        assert line, f"dev ended before it served: {self.errors()}"
        self.recovery_s = perf_counter() - self._began
        self.port = json.loads(line)["port"]

    def kill(self) -> None:
        """kill -9."""
        self.popen.kill()
        self._close()

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Let it drain. Returns its exit code."""
        self.popen.send_signal(number)
        return self._close()

    def errors(self) -> str:
        """What it, and those before it over the same directory, wrote to their error output."""
        return Path(self._errors.name).read_text()

    def _close(self) -> int:
        code = self.popen.wait(60)
        assert self.popen.stdout is not None
        self.popen.stdout.close()
        self._errors.close()
        return code

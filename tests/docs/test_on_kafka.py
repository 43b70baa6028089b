"""What the README says of Kafka is done as it says it, against a real broker, and gives what it shows."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.docs.stranger import ROOT, Block, blocks
from tests.services.command_line import environment
from tests.services.kafka_roles import WITHIN_SECONDS, eventually

README = ROOT / "README.md"
HEADING = "## On Kafka in five minutes"
PRODUCERS = ROOT / "docs" / "producers.md"
PLACEHOLDER = "<the address that make kafka-up printed>"


def section() -> list[Block]:
    """The blocks under the heading."""
    lines = README.read_text().splitlines()
    begin = lines.index(HEADING)
    end = next(n for n in range(begin + 1, len(lines)) if lines[n].startswith("## "))
    return [block for block in blocks(README) if begin < block.line <= end]


def script(folder: Path, source: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-e", "-c", source],
        cwd=folder,
        env={**environment(), "PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        timeout=WITHIN_SECONDS,
        check=False,
    )


def test_kafka_in_five_minutes(tmp_path: Path, kafka: str, journal_name: str) -> None:
    up, settings, roles, send, look, shown = section()
    assert up.source == "make kafka-up\n"
    (bank,) = [block for block in blocks(README) if block.source.startswith("# bank.py\n")]
    (tmp_path / "bank.py").write_text(bank.source)
    (tmp_path / "send.py").write_text(send.source)
    (ask,) = [block for block in blocks(PRODUCERS) if block.source.startswith("# ask.py\n")]
    (tmp_path / "ask.py").write_text(ask.source)
    given = settings.source.replace(PLACEHOLDER, kafka).replace('journal = "bank"', f'journal = "{journal_name}"')
    (tmp_path / "shardlog.toml").write_text(given)

    pids = "\n".join(line.replace("&", "> /dev/null & echo $!") for line in roles.source.splitlines())
    begun = script(tmp_path, pids)
    running = [int(line) for line in begun.stdout.splitlines() if line.isdigit()]
    try:
        assert begun.returncode == 0, begun.stdout
        assert len(running) == 3
        eventually(lambda: script(tmp_path, look.source).stdout == shown.source, "it does not show what is written")
        assert script(tmp_path, "python ask.py").stdout.startswith("409 insufficient_funds the balance is 6")
    finally:
        for pid in running:
            os.kill(pid, signal.SIGTERM)

"""The command line as a process of its own, on a folder that banking has filled."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from domain.banking.account import account
from domain.banking.messages import Deposit, Open, Withdraw
from shardlog.wiring.embedded import Embedded
from shardlog.wiring.settings import load_settings

ROOT = Path(__file__).parents[2]
SECONDS = 60
SETTINGS = """
[application]
domains = ["domain.banking:banking"]
projections = ["projections.banking:balances"]

[journal]
directory = "journal"
shards = 2

[executor]
frame_commands_max = 3
"""


class Said(NamedTuple):
    """What a command printed, and what it ended with."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """A JSON value a line."""
        return [json.loads(line) for line in self.out.splitlines()]


def environment(**more: str) -> dict[str, str]:
    """What commands run in: this checkout's domains can be imported, and no setting comes from outside."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SHARDLOG_")}
    return {**kept, "PYTHONPATH": str(ROOT), **more}


def shardlog(folder: Path, *arguments: str, **more: str) -> Said:
    """Run a command in a folder. more: environment variables."""
    ran = subprocess.run(
        [sys.executable, "-m", "shardlog.cli.main", *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment(**more),
        timeout=SECONDS,
        check=False,
    )
    return Said(ran.returncode, ran.stdout, ran.stderr)


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A command that goes on, until it ends or this does."""
    process = subprocess.Popen(
        [sys.executable, "-m", "shardlog.cli.main", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=environment(),
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def fill(folder: Path) -> None:
    """Settings, and some accounts with a past: ada with four events, bob with one and two refusals."""
    (folder / "shardlog.toml").write_text(SETTINGS)
    with open_engine(folder) as engine:
        ada, bob = account.stream("l1:ada"), account.stream("l2:bob")
        engine.send(ada, Open(owner="Ada"), command_id="a1")
        engine.send(bob, Open(owner="Bob"), command_id="b1")
        engine.send(bob, Withdraw(amount=5), command_id="b2")
        engine.send(bob, Open(owner="Bob"), command_id="b3")
        for number in range(2, 5):
            engine.send(ada, Deposit(amount=number), command_id=f"a{number}", actor="teller")
        for future in [engine.submit(account.stream("l3:eve"), Open(owner="Eve")) for _ in range(10)]:
            future.result(SECONDS)
        engine.wait_for_projections()


def open_engine(folder: Path) -> Embedded:
    """The engine of the settings there."""
    return Embedded.from_settings(load_settings(folder / "shardlog.toml"))

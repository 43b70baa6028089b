"""The worker that the page on Faust shows, run with the command that it shows, keeps what it says."""

from __future__ import annotations

import os
import shlex
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from domain.banking.messages import Deposited
from tests.docs.stranger import ROOT, blocks
from tests.services.bank_process import application
from tests.services.kafka_relayed import RelayedJournal, kill, wait_until

PAGE = ROOT / "docs" / "faust.md"


def test_the_worker_of_the_page_keeps_the_deposits(tmp_path: Path, kafka: str, journal_name: str) -> None:
    source, command = list(blocks(PAGE))[:2]
    (tmp_path / "deposits.py").write_text(source.source)
    settings = f'[kafka]\nbootstrap_servers = "{kafka}"\njournal = "{journal_name}"\n'
    (tmp_path / "shardlog.toml").write_text(settings)
    journal = RelayedJournal(kafka, journal_name, application=application)
    log = journal.log()
    log.happened(("north:alice", Deposited(amount=500)), ("north:bob", Deposited(amount=7)))
    log.happened(("north:alice", Deposited(amount=50)))
    journal.wait_until_landed()
    relay = journal.process("bank")
    program, *arguments = shlex.split(command.source)
    with (tmp_path / "worker.log").open("wb") as said:
        worker = subprocess.Popen(
            [str(Path(sys.executable).parent / program), *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
            stdout=said,
            stderr=said,
        )
    try:
        expected = {"north:alice": 550, "north:bob": 7}
        wait_until(lambda: deposits(tmp_path) == expected, (tmp_path / "worker.log").read_text)
    finally:
        worker.kill()
        worker.wait()
        kill(relay)
        journal.close()


def deposits(folder: Path) -> dict[str, int]:
    database = folder / "deposits.sqlite"
    if not database.exists():
        return {}
    with closing(sqlite3.connect(database)) as connection:
        tables = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'deposits'").fetchall()
        return dict(connection.execute("SELECT account, cents FROM deposits").fetchall()) if tables else {}

"""What strangers do to a SQLite journal: processes beside it, and changes to its files."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from shardlog.adapters.sqlite.journal import SqliteJournal


@contextmanager
def running(script: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A process of its own that runs a script; killed at the end if it still lives."""
    process = subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=30)


def line(stream: IO[str] | None) -> str:
    assert stream is not None
    return stream.readline().strip()


def tell(process: subprocess.Popen[str]) -> None:
    """Let the holder go on."""
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def values(journal: SqliteJournal, shard: int = 0) -> list[bytes]:
    return [value for _, value in journal.read(shard, 0)]


def change(path: Path, statement: str) -> None:
    """What a stranger does to the file."""
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()

"""The journal that a proof reads: any adapter's, with what its meta record says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from shardlog.adapters.sqlite.control import read_meta
from shardlog.adapters.sqlite.journal import SqliteJournal
from shardlog.ports.journal import Journal


class Log(NamedTuple):
    """A journal that is open. id: a UUID."""

    journal: Journal
    id: str
    shards: int


@contextmanager
def sqlite_log(directory: Path) -> Iterator[Log]:
    """The embedded journal in this folder. Raises JournalMismatch where there is none."""
    meta = read_meta(directory)
    journal = SqliteJournal(directory, meta.shards)
    try:
        yield Log(journal, meta.journal, meta.shards)
    finally:
        journal.close()

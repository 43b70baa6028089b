"""The checks at the end that look at the journal: its chain, and a rebuild beside the tables."""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path
from typing import NamedTuple

from demo.application import SHARDS, application
from shardlog.adapters.sql.store import SqlProjectionStore
from shardlog.adapters.sqlite.control import read_meta
from shardlog.adapters.sqlite.journal import SqliteJournal
from shardlog.journal.reader import FrameTaken, Invalid, Reader
from shardlog.model.projection import Projection
from shardlog.projector.runner import Projector


class Chain(NamedTuple):
    """What a walk over a journal found. invalid: records that do not count, by reason."""

    frames: int
    invalid: dict[str, int]
    heads: tuple[str, ...]


def walk_chain(directory: Path) -> Chain:
    """Read every record of every shard by the reader's rule. Raises Corrupt or Diverged where it does not hold."""
    meta = read_meta(directory)
    journal = SqliteJournal(directory, meta.shards)
    frames, invalid, heads = 0, dict[str, int](), list[str]()
    try:
        for shard in range(meta.shards):
            reader = Reader(meta.journal, shard, meta.shards)
            for offset, value in journal.read(shard, 0):
                verdict = reader.pass_over(offset, value)
                if isinstance(verdict, Invalid):
                    invalid[verdict.reason] = invalid.get(verdict.reason, 0) + 1
                frames += isinstance(verdict, FrameTaken)
            heads.append(reader.head)
    finally:
        journal.close()
    return Chain(frames, invalid, tuple(heads))


def rebuild_differs(directory: Path, projection: Projection) -> list[str]:
    """Build a projection from nothing in a scratch database. Returns the names of tables whose rows differ."""
    journal = SqliteJournal(directory, SHARDS)
    with tempfile.TemporaryDirectory() as scratch:
        rebuilt = Path(scratch) / "rebuilt.sqlite"
        store = SqlProjectionStore(rebuilt)
        try:
            Projector(journal, read_meta(directory).journal, SHARDS, application, [projection], store).drain()
        finally:
            store.close()
            journal.close()
        tables = [row.__wire_name__ for row in projection.rows]
        kept = directory / "projections.sqlite"
        return [name for name in tables if _rows(kept, name) != _rows(rebuilt, name)]


def _rows(database: Path, table: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)
    try:
        found = connection.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608  # a name from the code
    finally:
        connection.close()
    return sorted(found, key=repr)

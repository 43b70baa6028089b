"""The control table of a journal directory: `journal.sqlite`, where the meta record stands."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from shardlog.adapters.sqlite.errors import sqlite_errors
from shardlog.adapters.sqlite.shard_file import connect, make_directory, prepared
from shardlog.errors import JournalMismatch
from shardlog.journal.control import META_KEY, Meta, decode_meta, encode_meta, merge_meta

CONTROL_NAME = "journal.sqlite"
BUSY_MS = 5_000
_CREATE = (("CREATE TABLE IF NOT EXISTS control (key TEXT PRIMARY KEY, value BLOB NOT NULL)", ()),)


def open_meta(
    directory: Path,
    name: str,
    shards: int,
    categories: Mapping[str, int | None],
    time: int,
    journal: str | None = None,
) -> Meta:
    """The meta record of the journal in this directory; the first call makes it, later ones add categories it lacks.

    categories: routing parts by category, None or 0 for the whole id. time: microseconds since 1970 UTC, used when it
    is made. journal: the id that is expected, or to make it with; None takes the stored one, or draws one. To be called
    under the directory's lock; idempotent. Raises JournalMismatch where they disagree, JournalError where the file is
    unusable.
    """
    path = directory / CONTROL_NAME
    prepare_control(directory)
    parts = {category: number or 0 for category, number in categories.items()}
    with opened_control(path) as connection:
        connection.execute("BEGIN IMMEDIATE")
        stored = _stored(connection)
        if stored is None:
            meta = Meta(journal or str(uuid.uuid4()), name, time, shards, parts)
        else:
            meta = merge_meta(stored, Meta(journal or stored.journal, name, time, shards, parts))
        if meta != stored:
            connection.execute("INSERT OR REPLACE INTO control VALUES (?, ?)", (META_KEY, encode_meta(meta)))
        connection.execute("COMMIT")
    return meta


def read_meta(directory: Path) -> Meta:
    """The meta record as it stands. Raises JournalMismatch where there is no journal."""
    path = directory / CONTROL_NAME
    if not path.exists():
        raise JournalMismatch(
            f"{directory} holds no journal ({CONTROL_NAME} is missing): start the application there first"
        )
    with opened_control(path) as connection:
        meta = _stored(connection)
    if meta is None:
        raise JournalMismatch(f"{path} holds no meta record: start the application there first, or restore the file")
    return meta


def prepare_control(directory: Path) -> None:
    """Make the directory and its control table where they are missing. Raises JournalError."""
    make_directory(directory)
    prepared(directory / CONTROL_NAME, BUSY_MS, _CREATE)


@contextmanager
def opened_control(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection for one piece of work; what was not committed is rolled back when it closes."""
    connection = connect(path, BUSY_MS)
    try:
        with sqlite_errors(path, "reading or writing control records"):
            yield connection
    finally:
        connection.close()


def _stored(connection: sqlite3.Connection) -> Meta | None:
    row = connection.execute("SELECT value FROM control WHERE key = ?", (META_KEY,)).fetchone()
    return None if row is None else decode_meta(row[0])

"""One shard's file: its schema, how it is opened, and how its rows are checked.

Table `record` holds a row a value: offset, blake2b-64 of offset and value, value. Table `bounds` holds one row: the
earliest offset and the next one, kept so that truncating everything never makes offsets begin again. Triggers refuse a
row at any other offset than the next one, and move it, so that an append is one statement.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path

import stamina

from shardlog.adapters.sqlite.errors import is_busy, sqlite_errors
from shardlog.errors import JournalError, JournalMismatch

APPLICATION_ID = 0x73686C67
"""`shlg`: which program's file it is."""
SCHEMA = 1
"""Stands in the file's user_version."""
DIGEST_BYTES = 8
_CREATE = (
    ("CREATE TABLE IF NOT EXISTS record (offset INTEGER PRIMARY KEY, digest BLOB NOT NULL, value BLOB NOT NULL)", ()),
    (
        "CREATE TABLE IF NOT EXISTS bounds (one INTEGER PRIMARY KEY CHECK (one = 1),"
        " shard INTEGER NOT NULL, earliest INTEGER NOT NULL, next INTEGER NOT NULL)",
        (),
    ),
    (
        "CREATE TRIGGER IF NOT EXISTS appends_in_order BEFORE INSERT ON record"
        " WHEN NEW.offset <> (SELECT next FROM bounds) BEGIN SELECT RAISE(ABORT, 'not the next offset'); END",
        (),
    ),
    (
        "CREATE TRIGGER IF NOT EXISTS appends_move_next AFTER INSERT ON record"
        " BEGIN UPDATE bounds SET next = NEW.offset + 1; END",
        (),
    ),
)


def row_digest(offset: int, value: bytes) -> bytes:
    """blake2b-64 of the offset, 8 bytes big-endian, and the value."""
    digest = blake2b(offset.to_bytes(8, "big"), digest_size=DIGEST_BYTES)
    digest.update(value)
    return digest.digest()


def shard_path(directory: Path, shard: int) -> Path:
    """Where a shard's file is."""
    return directory / f"shard-{shard:04d}.sqlite"


def make_directory(directory: Path) -> None:
    """Make the directory where there is none. Raises JournalError where that cannot be."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise JournalError(
            f"{directory} cannot be made ({error}): name another directory, or give this user the right"
        ) from error


def connect(path: Path, busy_ms: int) -> sqlite3.Connection:
    """A connection in autocommit, durable at COMMIT. busy_ms: how long it waits for a lock. Raises JournalError."""
    with sqlite_errors(path, "opening"):
        connection = sqlite3.connect(path, timeout=busy_ms / 1000, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA synchronous = FULL")
        except BaseException:
            connection.close()
            raise
    return connection


def prepared(path: Path, busy_ms: int, statements: Iterable[tuple[str, tuple[int, ...]]]) -> None:
    """Make a file of ours where there is none, with these tables. Raises JournalError for any other file."""
    statements = tuple(statements)
    connection = connect(path, busy_ms)
    try:
        with sqlite_errors(path, "preparing"):
            # two that switch one file to WAL at once are told so without waiting, whatever the busy time-out
            for attempt in stamina.retry_context(
                on=is_busy, attempts=None, timeout=busy_ms / 1000, wait_initial=0.01, wait_max=0.1
            ):
                with attempt:
                    _make(connection, path, statements)
    finally:
        connection.close()


def _make(connection: sqlite3.Connection, path: Path, statements: Iterable[tuple[str, tuple[int, ...]]]) -> None:
    """One try. Idempotent, also beside another process that makes the same file."""
    if is_ready(connection, path):
        return
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement, values in statements:
            connection.execute(statement, values)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def prepare_shard(path: Path, shard: int, busy_ms: int) -> None:
    """Make the shard's file where there is none. Raises JournalError, and JournalMismatch for another shard's file."""
    prepared(path, busy_ms, (*_CREATE, ("INSERT OR IGNORE INTO bounds VALUES (1, ?, 0, 0)", (shard,))))
    connection = connect(path, busy_ms)
    try:
        with sqlite_errors(path, "preparing"):
            (held,) = connection.execute("SELECT shard FROM bounds").fetchone()
    finally:
        connection.close()
    if held != shard:
        raise JournalMismatch(f"{path}: the file is of shard {held}, not {shard}: put it back under its own name")


def is_ready(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether the file is ours; False for an empty one. Raises JournalError for another program's or a newer schema."""
    connection.execute("BEGIN")  # one look: another process may be making the file
    try:
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    if (application, version, tables) == (0, 0, 0):
        return False
    if application != APPLICATION_ID:
        raise JournalError(
            f"{path}: this is a database of another program (application id {application:#x}): move it away"
        )
    if version != SCHEMA:
        raise JournalError(
            f"{path}: the file has schema {version}, and this code knows {SCHEMA}: deploy code that reads it. "
            "Nothing was changed"
        )
    return True

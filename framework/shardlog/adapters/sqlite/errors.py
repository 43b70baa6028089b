"""What SQLite can raise, turned into errors of ours: here and nowhere else."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shardlog.errors import AppendFailed, Corrupt, JournalError

_CAUSES = {
    sqlite3.SQLITE_FULL: "the disk is full, or the file's own limit is reached: free space, then start again",
    sqlite3.SQLITE_NOTADB: "the file is no SQLite database: restore it from a backup, or name the right directory",
    sqlite3.SQLITE_CORRUPT: "the database file is damaged: restore it from a backup",
    sqlite3.SQLITE_BUSY: "another process writes to the file and does not let go: end it, or wait",
    sqlite3.SQLITE_LOCKED: "another connection writes to the file and does not let go: end it, or wait",
    sqlite3.SQLITE_READONLY: "the file or its directory cannot be written: give the right, or mount it writable",
    sqlite3.SQLITE_PERM: "the file cannot be opened by this user: give it the right",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened: check that its directory exists and can be written",
    sqlite3.SQLITE_IOERR: "the disk gave an error: look at the system's log before anything is written again",
    sqlite3.SQLITE_TOOBIG: "the value is larger than SQLite stores (1,000,000,000 bytes)",
    sqlite3.SQLITE_INTERRUPT: "the work was interrupted because the writer is abandoned",
    sqlite3.SQLITE_PROTOCOL: "its locks do not work: the journal needs a local disk, not a network file system",
    sqlite3.SQLITE_NOLFS: "the file system does not take files this large",
    sqlite3.SQLITE_SCHEMA: "the schema changed while it was read: another program writes to this file",
}
"""What went wrong and what to do, by SQLite's primary result code."""
_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def _code(error: BaseException) -> int | None:
    """SQLite's primary result code; None for errors of the Python module itself."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def explain(error: BaseException, path: Path, doing: str) -> str:
    """One sentence: the file, what was being done, the cause, the next step."""
    code = _code(error)
    name = f", {getattr(error, 'sqlite_errorname', code)}" if code is not None else ""
    said = f"{type(error).__name__}{name}: {error}"
    cause = None if code is None else _CAUSES.get(code)
    return f"{path}: {doing} failed: {cause} ({said})" if cause else f"{path}: {doing} failed: {said}"


def is_busy(error: BaseException) -> bool:
    """Whether another connection held the file."""
    return _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def is_refused_offset(error: BaseException) -> bool:
    """Whether the file refused a row because its offset is not the next one: another writer has appended."""
    return _code(error) == sqlite3.SQLITE_CONSTRAINT


def append_failed(error: BaseException, path: Path) -> AppendFailed:
    """An append that ended in an error: it may stand in the file or not."""
    return AppendFailed(explain(error, path, "an append"))


FOREIGN_ERRORS = (sqlite3.Error, sqlite3.Warning, OverflowError)
"""What the sqlite3 module raises; OverflowError for a value larger than it takes."""


@contextmanager
def sqlite_errors(path: Path, doing: str) -> Iterator[None]:
    """Raise what SQLite raises inside as JournalError."""
    try:
        yield
    except FOREIGN_ERRORS as error:
        raise JournalError(explain(error, path, doing)) from error


@contextmanager
def reading_errors(path: Path, shard: int, offset: int) -> Iterator[None]:
    """As `sqlite_errors`; a file that is damaged is Corrupt, from this offset on."""
    try:
        yield
    except FOREIGN_ERRORS as error:
        if _code(error) in _DAMAGE:
            raise Corrupt(shard, offset, explain(error, path, "reading from here")) from error
        raise JournalError(explain(error, path, f"reading from offset {offset}")) from error

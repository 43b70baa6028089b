"""The journal in SQLite: a file a shard, in WAL mode, durable at COMMIT.

For one host and a local disk. Readers have connections of their own and hold no transaction while their caller works.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shardlog.adapters.sqlite.errors import reading_errors, sqlite_errors
from shardlog.adapters.sqlite.shard_file import connect, make_directory, prepare_shard, row_digest, shard_path
from shardlog.adapters.sqlite.writer import SqliteWriter
from shardlog.errors import Corrupt, JournalError, Truncated
from shardlog.ports.journal import Journal, Writer

BUSY_MS = 5_000
PAGE_ROWS = 256
PAGE_BYTES = 4_194_304
FIRST_PAGE_ROWS = 4
PAGE_GROWTH = 4
"""A reading begins with a small page, since often one record is wanted, and each further one is larger."""
CLOSE_DEADLINE_MS = 5_000
_SELECT_PAGE = "SELECT offset, digest, CAST(value AS BLOB) FROM record WHERE offset >= ? AND offset < ? ORDER BY offset"


class SqliteJournal(Journal):
    """Shards in `directory/shard-NNNN.sqlite`. The files are made when they are first asked for."""

    def __init__(
        self,
        directory: Path,
        shards: int,
        *,
        page_rows: int = PAGE_ROWS,
        page_bytes: int = PAGE_BYTES,
        busy_ms: int = BUSY_MS,
    ) -> None:
        """page_rows, page_bytes: how much is read at once. busy_ms: how long a lock is waited for."""
        self._directory = directory
        self._shards = shards
        self._page_rows = page_rows
        self._page_bytes = page_bytes
        self._busy_ms = busy_ms
        self._prepared: set[int] = set()
        self._idle: tuple[deque[sqlite3.Connection], ...] = tuple(deque() for _ in range(shards))
        self._writers: list[SqliteWriter] = []
        self._is_closed = False

    def writer(self, shard: int) -> Writer:
        writer = SqliteWriter(self._path(shard), shard, self._busy_ms)
        self._writers = [w for w in self._writers if not w.has_ended]
        self._writers.append(writer)
        return writer

    def read(self, shard: int, start: int) -> Iterator[tuple[int, bytes]]:
        earliest, end = self.offsets(shard)
        if start < earliest:
            raise Truncated(shard, start, earliest)
        return self._read(shard, start, end)

    def offsets(self, shard: int) -> tuple[int, int]:
        path = self._path(shard)
        with sqlite_errors(path, "reading its bounds"), self._connection(shard, path) as connection:
            earliest, end = connection.execute("SELECT earliest, next FROM bounds").fetchone()
        return earliest, end

    def truncate(self, shard: int, before: int) -> None:
        path = self._path(shard)
        connection = connect(path, self._busy_ms)
        try:
            with sqlite_errors(path, "truncating"):
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("UPDATE bounds SET earliest = max(earliest, min(?, next))", (before,))
                connection.execute("DELETE FROM record WHERE offset < (SELECT earliest FROM bounds)")
                connection.execute("COMMIT")
        finally:
            connection.close()

    def close(self) -> None:
        self._is_closed = True
        for writer in self._writers:
            writer.abandon(CLOSE_DEADLINE_MS)
        self._writers.clear()
        for idle in self._idle:
            while idle:
                idle.pop().close()

    def _read(self, shard: int, start: int, end: int) -> Iterator[tuple[int, bytes]]:
        rows = FIRST_PAGE_ROWS
        while start < end:
            page = self._page(shard, start, min(end, start + min(rows, self._page_rows)))
            rows *= PAGE_GROWTH
            if not page:
                self._missing(shard, start)
            for offset, digest, value in page:
                if offset != start:
                    self._missing(shard, start)
                if digest != row_digest(offset, value):
                    raise Corrupt(shard, offset, "the value and its checksum disagree")
                yield offset, value
                start += 1

    def _page(self, shard: int, start: int, end: int) -> list[tuple[int, bytes, bytes]]:
        """Rows from `start` to below `end`, or fewer where they are large, in one short read transaction."""
        path = self._path(shard)
        page: list[tuple[int, bytes, bytes]] = []
        size = 0
        with reading_errors(path, shard, start), self._connection(shard, path) as connection:
            rows = connection.execute(
                _SELECT_PAGE,
                (start, end),
            )
            for row in rows:
                page.append(row)
                size += len(row[2])
                if size >= self._page_bytes:
                    break
            rows.close()
        return page

    def _missing(self, shard: int, offset: int) -> None:
        """A row is not where one must be: it was truncated meanwhile, or lost."""
        earliest, _ = self.offsets(shard)
        if offset < earliest:
            raise Truncated(shard, offset, earliest)
        raise Corrupt(shard, offset, "the row is missing")

    @contextmanager
    def _connection(self, shard: int, path: Path) -> Iterator[sqlite3.Connection]:
        """A connection that nobody else uses now; kept for later where nothing went wrong."""
        idle = self._idle[shard]
        try:
            connection = idle.pop()
        except IndexError:
            connection = connect(path, self._busy_ms)
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        idle.append(connection)

    def _path(self, shard: int) -> Path:
        if self._is_closed:
            raise JournalError(f"{self._directory}: the journal is closed: open it again")
        if not 0 <= shard < self._shards:
            raise ValueError(f"shard {shard} is not one of {self._shards}: shards are numbered from 0")
        path = shard_path(self._directory, shard)
        if shard not in self._prepared:
            make_directory(self._directory)
            prepare_shard(path, shard, self._busy_ms)
            self._prepared.add(shard)
        return path

"""A SQLite file's tables, read by any SELECT and by nothing else, beside a process that writes them."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from shardlog.adapters.sql.decimals import teach_decimals
from shardlog.adapters.sql.faults import fault
from shardlog.errors import QueryRefused, RowsRefused, StoreFailed
from shardlog.ports.tables import Selected, Tables

_READS = frozenset(
    {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
)  # what a SELECT consists of: attaching a file, a pragma and every change have codes of their own


class SqliteTables(Tables):
    """path: of the file. lock_wait_ms: how long a lock of another process is waited for."""

    def __init__(self, path: Path, *, lock_wait_ms: int = 5_000) -> None:
        self._path = path
        self._lock_wait_s = lock_wait_ms / 1000

    @contextmanager
    def select(self, sql: str) -> Iterator[Selected]:
        if not self._path.is_file():
            raise StoreFailed(
                f"there are no tables at {self._path}: they are made when the application, or a projector, is started "
                "there for the first time"
            )
        with _mapped(), closing(self._connected()) as connection:
            cursor = connection.execute(sql)
            if cursor.description is None:
                raise QueryRefused("this is no SELECT: tables are only read here")
            with closing(_rows(cursor)) as rows:  # before its connection, however far it was read
                yield Selected(tuple(column[0] for column in cursor.description), rows)

    def _connected(self) -> sqlite3.Connection:
        connection = sqlite3.connect(f"{self._path.resolve().as_uri()}?mode=ro", uri=True, timeout=self._lock_wait_s)
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()  # else a wrong name is reported as SQLITE_SCHEMA
        teach_decimals(connection)
        connection.set_authorizer(_authorized)
        return connection


def _authorized(action: int, *_of_what: object) -> int:
    return sqlite3.SQLITE_OK if action in _READS else sqlite3.SQLITE_DENY


def _rows(cursor: sqlite3.Cursor) -> Generator[tuple[object, ...], None, None]:
    with _mapped():
        yield from cursor


@contextmanager
def _mapped() -> Iterator[None]:
    try:
        yield
    except sqlite3.Warning as error:  # several statements, in Python 3.11
        raise QueryRefused(f"one SELECT at a time: {error}") from error
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_AUTH:
            raise QueryRefused(f"this is no SELECT: tables are only read here ({error})") from error
        found = fault(error, "reading tables")
        if isinstance(found, RowsRefused) or isinstance(error, sqlite3.ProgrammingError):
            raise QueryRefused(f"SQLite does not run this: {error}") from error
        raise found from error

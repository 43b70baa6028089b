"""A writer of one shard's file: a thread that appends what waits in one transaction, and reports when it is durable.

Nothing is expected of the log before an append: the chain in the records is the compare. An error leaves it
open whether the values stand there; the writer is of no use then.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from queue import Empty, SimpleQueue
from time import monotonic
from typing import NamedTuple

from shardlog.adapters.sqlite.errors import FOREIGN_ERRORS, append_failed, is_busy, is_refused_offset
from shardlog.adapters.sqlite.shard_file import connect, row_digest
from shardlog.errors import AppendFailed, ShardlogError
from shardlog.ports.journal import Report, Writer

TRANSACTION_VALUES_MAX = 64
TRANSACTION_BYTES_MAX = 16_777_216
BUSY_STEP_MS = 50
"""How long one try waits for another process's lock, so that abandoning is never held up for longer."""


@cache
def _insert(rows: int) -> str:
    return "INSERT INTO record VALUES " + ", ".join(["(?, ?, ?)"] * rows)  # noqa: S608  # question marks alone


class _Append(NamedTuple):
    value: bytes
    reported: Callable[[Report], None]


class SqliteWriter(Writer):
    """Appends to one shard's file. busy_ms: how long another process may hold the file before an append fails."""

    def __init__(self, path: Path, shard: int, busy_ms: int) -> None:
        self._path = path
        self._busy_ms = busy_ms
        self._waiting: SimpleQueue[_Append | None] = SimpleQueue()
        self._is_ending = False
        self._failure: ShardlogError | None = None
        self._next: int | None = None
        self._connection = connect(path, min(BUSY_STEP_MS, busy_ms))
        self._thread = threading.Thread(target=self._run, name=f"shardlog-sqlite-{shard}", daemon=True)
        self._thread.start()

    def append(self, value: bytes, reported: Callable[[Report], None]) -> None:
        self._waiting.put(_Append(value, reported))
        if self._is_ending:
            self._refuse_waiting()

    @property
    def has_ended(self) -> bool:
        """Whether its thread is gone."""
        return not self._thread.is_alive()

    def abandon(self, deadline_ms: int) -> None:
        self._is_ending = True
        self._waiting.put(None)
        if self._thread is not threading.current_thread():
            self._thread.join(deadline_ms / 1000)
            if self._thread.is_alive():
                with contextlib.suppress(sqlite3.ProgrammingError):  # it has ended by itself meanwhile
                    self._connection.interrupt()

    # -- the thread ----------------------------------------------------------------------------------------------------
    def _run(self) -> None:
        try:
            while not self._is_ending and self._failure is None:
                self._commit(self._take())
        finally:
            self._is_ending = True
            self._connection.close()
            self._refuse_waiting()

    def _take(self) -> list[_Append]:
        """What waits now, as far as one transaction takes it; waits for the first."""
        taken: list[_Append] = []
        size = 0
        append = self._waiting.get()
        while append is not None:
            taken.append(append)
            size += len(append.value)
            if len(taken) >= TRANSACTION_VALUES_MAX or size >= TRANSACTION_BYTES_MAX:
                break
            try:
                append = self._waiting.get_nowait()
            except Empty:
                break
        return taken

    def _commit(self, appends: list[_Append]) -> None:
        """Append in one transaction, then report to each; an error is reported to all."""
        if not appends:
            return
        try:
            first = self._append_all(appends)
        except FOREIGN_ERRORS as error:
            self._failure = append_failed(error, self._path)
            for append in appends:
                append.reported(append_failed(error, self._path))
            return
        for place, append in enumerate(appends):
            append.reported(first + place)

    def _append_all(self, appends: list[_Append]) -> int:
        """Append at the next offsets, in one statement that is a transaction of its own; returns the first offset.

        One statement, since each one that a thread executes costs it the interpreter lock once more. Where another
        writer has appended since, the file refuses the offsets, and they are read again.
        """
        give_up = monotonic() + self._busy_ms / 1000
        while True:
            try:
                first = self._next_offset()
                rows = [(first + i, row_digest(first + i, a.value), a.value) for i, a in enumerate(appends)]
                self._connection.execute(_insert(len(rows)), [field for row in rows for field in row])
            except FOREIGN_ERRORS as error:
                self._next = None
                is_outrun = is_refused_offset(error)
                if self._is_ending or not (is_outrun or is_busy(error)) or monotonic() >= give_up:
                    raise
            else:
                self._next = first + len(rows)
                return first

    def _next_offset(self) -> int:
        if self._next is None:
            (self._next,) = self._connection.execute("SELECT next FROM bounds").fetchone()
        return self._next

    def _refuse_waiting(self) -> None:
        """Report what never reached the file."""
        why = "abandoned" if self._failure is None else f"of no use since an append failed ({self._failure})"
        must_wake = False
        while True:
            try:
                append = self._waiting.get_nowait()
            except Empty:
                break
            if append is None:
                must_wake = True
            else:
                append.reported(AppendFailed(f"{self._path}: the writer is {why}: this value was not appended"))
        if must_wake:
            self._waiting.put(None)

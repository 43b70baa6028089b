"""The lock of a journal directory: a courtesy among executors, so that two of them don't take turns at claiming.

The claim in the journal is the fence, not this. Readers don't take it.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType

from shardlog.adapters.sqlite.shard_file import make_directory
from shardlog.errors import JournalHeld

LOCK_NAME = "lock"


class DirectoryLock:
    """Held from `acquire` to `release`, or as a context. It goes with the process, however that ends.

    name: of the lock's file. does: what its holder does, for the message.
    """

    def __init__(self, directory: Path, name: str = LOCK_NAME, does: str = "serves this journal") -> None:
        self._directory = directory
        self._name = name
        self._does = does
        self._file: int | None = None

    def acquire(self) -> None:
        """Take the lock, or raise JournalHeld, which names who holds it. The directory is made where there is none."""
        if self._file is not None:
            return
        make_directory(self._directory)
        file = os.open(self._directory / self._name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(file, 64, 0).decode(errors="replace").strip() or "unknown"
            os.close(file)
            raise JournalHeld(
                f"{self._directory}: process {holder} {self._does}: end it, or name another directory"
            ) from None
        os.ftruncate(file, 0)
        os.pwrite(file, b"%d\n" % os.getpid(), 0)
        self._file = file

    def release(self) -> None:
        """Let go. Idempotent."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def __enter__(self) -> DirectoryLock:
        self.acquire()
        return self

    def __exit__(
        self, type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()


def holder(directory: Path) -> int | None:
    """The process that serves the directory now; None where none does. For people: it may be gone the next moment."""
    try:
        file = os.open(directory / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        text = os.pread(file, 64, 0).strip()
        if not text.isdigit() or not _is_alive(int(text)):
            return None
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return int(text)
    finally:
        os.close(file)
    return None


def _is_alive(process: int) -> bool:
    """Asked first, so that nobody who starts now finds the lock taken by a look at it."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

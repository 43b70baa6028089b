"""An object store that is a folder: a file a key, local or on NFS.

A value is written to a file of its own beside the keys, forced to disk, then linked under its key. A link is a rename
that does not replace, so a key is written once and whole or not at all, whatever process ends when.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NoReturn, TypeVar

from shardlog.errors import ObjectExists, ObjectMissing, ObjectStoreFailed
from shardlog.ports.objects import ObjectStore, StoredObject, check_key

PIECE_BYTES = 1024 * 1024
FORCED_BYTES = 8 * 1024 * 1024
"""After so many bytes a file is forced to disk, so that other files of the disk don't wait for all of it at once."""
INCOMING = ".incoming"
"""The folder of values that are being written; a key has no part that begins with a dot."""
T = TypeVar("T")


class FilesystemObjects(ObjectStore):
    """Keys below a folder, which is made at the first put. It must hold hard links, as all but FAT do."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._incoming = directory / INCOMING
        self._swept = False

    def put(self, key: str, chunks: Iterable[bytes]) -> None:
        check_key(key)
        target = self._directory / key
        if _ask(key, "be looked for", lambda: os.path.lexists(target)):
            raise _exists(key)
        file, incoming = _ask(key, "be written", self._begin)
        try:
            _write(key, file, chunks)
            _ask(key, "be written", lambda: self._publish(key, incoming, target))
        finally:
            os.close(file)
            with contextlib.suppress(OSError):  # what is left behind is swept by the next process
                incoming.unlink()

    def get(self, key: str) -> Iterator[bytes]:
        check_key(key)
        try:
            with (self._directory / key).open("rb", buffering=0) as file:
                while piece := file.read(PIECE_BYTES):
                    yield piece
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise ObjectMissing(f"object {key} is not in {self._directory}") from None
        except OSError as error:
            _failed(key, "be read", error)

    def list(self, prefix: str) -> list[StoredObject]:
        folder = prefix.rpartition("/")[0]
        if folder:
            check_key(folder)
        start = self._directory / folder if folder else self._directory
        found = _ask(prefix, "be listed", lambda: list(_files(start, folder)))
        return sorted(stored for stored in found if stored.key.startswith(prefix))

    def delete(self, key: str) -> None:
        check_key(key)
        target = self._directory / key

        def unlink() -> None:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                target.unlink()
                _force_folder(target.parent)

        _ask(key, "be deleted", unlink)

    def close(self) -> None:
        """Nothing to free."""

    def _begin(self) -> tuple[int, Path]:
        """A file for a value, locked for as long as it is written, so that a sweep knows that its process lives."""
        _make_folder(self._incoming)
        if not self._swept:
            self._sweep()
            self._swept = True
        while True:
            path = self._incoming / f"{os.getpid()}-{secrets.token_hex(8)}"
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(file, fcntl.LOCK_EX)  # waits for a sweep at most, which holds it for a moment
                if os.fstat(file).st_nlink:
                    return file, path
            except BaseException:
                os.close(file)
                raise
            os.close(file)  # another process swept it before it was locked

    def _publish(self, key: str, incoming: Path, target: Path) -> None:
        _make_folder(target.parent)
        try:
            os.link(incoming, target)
        except FileExistsError:
            raise _exists(key) from None
        _force_folder(target.parent)

    def _sweep(self) -> None:
        """Remove what processes that ended left half written."""
        for path in self._incoming.iterdir():
            try:
                file = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink(missing_ok=True)
            except BlockingIOError:
                pass  # a living process writes it
            finally:
                os.close(file)


def _write(key: str, file: int, chunks: Iterable[bytes]) -> None:
    """Write the chunks and force them to disk. Only what the file system says becomes ObjectStoreFailed."""
    unforced = 0
    for chunk in chunks:
        _ask(key, "be written", lambda chunk=chunk: _write_all(file, chunk))  # type: ignore[misc]
        unforced += len(chunk)
        if unforced >= FORCED_BYTES:
            _ask(key, "be written", lambda: os.fsync(file))
            unforced = 0
    _ask(key, "be written", lambda: os.fsync(file))


def _write_all(file: int, chunk: bytes) -> None:
    rest = memoryview(chunk)
    while rest:
        rest = rest[os.write(file, rest) :]


def _files(folder: Path, key: str) -> Iterator[StoredObject]:
    try:
        entries = list(os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        name = f"{key}/{entry.name}" if key else entry.name
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _files(Path(entry.path), name)
        else:
            with contextlib.suppress(FileNotFoundError):  # deleted in between
                yield StoredObject(name, entry.stat().st_size)


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it, each durable in the one that holds it."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    with contextlib.suppress(FileExistsError):
        folder.mkdir()
    _force_folder(folder.parent)


def _force_folder(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _ask(key: str, what: str, act: Callable[[], T]) -> T:
    try:
        return act()
    except OSError as error:
        _failed(key, what, error)


def _failed(key: str, what: str, error: OSError) -> NoReturn:
    raise ObjectStoreFailed(
        f"object {key!r} cannot {what}: {error.strerror or error} ({error.filename or 'no file named'}): "
        "see to space, permissions and the disk of this folder"
    ) from error


def _exists(key: str) -> ObjectExists:
    return ObjectExists(f"object {key} exists: keys are written once, and it was left as it is")

"""The folder of objects keeps the object store's contract, and says what is wrong with its disk."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from shardlog.adapters.filesystem.objects import FilesystemObjects
from shardlog.errors import ObjectStoreFailed
from shardlog.ports.objects import ObjectStore
from shardlog.testing.contracts.objects import ObjectStoreContract

FULL = """
import resource, sys
from pathlib import Path
from shardlog.adapters.filesystem.objects import FilesystemObjects
from shardlog.errors import ObjectStoreFailed
store = FilesystemObjects(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
try:
    store.put("a/large", [b"x" * 60_000] * 4)
except ObjectStoreFailed as error:
    print(error)
store.put("a/small", [b"x"])
"""
HALF_WRITTEN = """
import os, signal, sys
from pathlib import Path
from shardlog.adapters.filesystem.objects import FilesystemObjects
def chunks():
    yield b"x" * 100
    os.kill(os.getpid(), signal.SIGKILL)
FilesystemObjects(Path(sys.argv[1])).put("a/b", chunks())
"""


class TestFilesystemObjects(ObjectStoreContract):
    @pytest.fixture(autouse=True)
    def _directory(self, tmp_path: Path) -> None:
        self.directory = tmp_path / "objects"

    def open(self) -> ObjectStore:
        return FilesystemObjects(self.directory)


def incoming(directory: Path) -> list[str]:
    return os.listdir(directory / ".incoming")


class Disk:
    """What a process asks of the disk, in order: which file or folder was forced, and when a key was given to which."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[tuple[str, int]] = []
        force, link, write = os.fsync, os.link, os.write

        def fsync(file: int) -> None:
            self.asked.append(("force", os.fstat(file).st_ino))
            force(file)

        def linked(source: Path, target: Path) -> None:
            self.asked.append(("key", os.stat(source).st_ino))
            link(source, target)

        def written(file: int, data: memoryview) -> int:
            self.asked.append(("write", os.fstat(file).st_ino))
            return write(file, data)

        monkeypatch.setattr(os, "fsync", fsync)
        monkeypatch.setattr(os, "link", linked)
        monkeypatch.setattr(os, "write", written)


def test_a_value_is_forced_to_disk_before_it_gets_its_key_and_the_folder_of_its_key_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FilesystemObjects(tmp_path)
    store.put("a/first", [b"x"])  # so that the folders are there
    disk = Disk(monkeypatch)
    store.put("a/second", [b"x" * 100, b"y"])
    value, folder = ((tmp_path / name).stat().st_ino for name in ("a/second", "a"))
    assert disk.asked[-3:] == [("force", value), ("key", value), ("force", folder)]
    assert max(place for place, asked in enumerate(disk.asked) if asked == ("write", value)) < len(disk.asked) - 3


def test_a_folder_that_is_made_is_forced_in_the_one_that_holds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)
    FilesystemObjects(tmp_path).put("a/b/c", [b"x"])
    forced = {inode for what, inode in disk.asked if what == "force"}
    assert {folder.stat().st_ino for folder in (tmp_path, tmp_path / "a", tmp_path / "a" / "b")} <= forced


def test_a_key_that_is_deleted_is_forced_from_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FilesystemObjects(tmp_path)
    store.put("a/b", [b"x"])
    disk = Disk(monkeypatch)
    store.delete("a/b")
    assert disk.asked == [("force", (tmp_path / "a").stat().st_ino)]


def test_what_a_killed_process_left_half_written_is_not_seen_and_is_swept(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", HALF_WRITTEN, str(tmp_path)], check=False)
    assert done.returncode == -9
    assert len(incoming(tmp_path)) == 1
    store = FilesystemObjects(tmp_path)
    assert store.list("") == []
    store.put("a/b", [b"whole"])
    assert incoming(tmp_path) == []


def test_what_another_process_is_writing_is_not_swept(tmp_path: Path) -> None:
    def chunks() -> list[bytes]:
        FilesystemObjects(tmp_path).put("b", [b"2"])
        return [b"1"]

    def lazily():  # type: ignore[no-untyped-def]
        yield from chunks()

    FilesystemObjects(tmp_path).put("a", lazily())
    assert [stored.key for stored in FilesystemObjects(tmp_path).list("")] == ["a", "b"]


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FULL, str(tmp_path)], check=True, capture_output=True, text=True)
    assert "'a/large' cannot be written: File too large" in done.stdout
    assert [stored.key for stored in FilesystemObjects(tmp_path).list("")] == ["a/small"]
    assert incoming(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ObjectStoreFailed, match=r"'a' cannot be written: Not a directory.*file"):
        FilesystemObjects(tmp_path / "file" / "objects").put("a", [b"1"])


FORBIDDEN = """
import os, sys
from pathlib import Path
from shardlog.adapters.filesystem.objects import FilesystemObjects
from shardlog.errors import ObjectStoreFailed
objects = FilesystemObjects(Path(sys.argv[1]))
if os.geteuid() == 0:  # nothing is forbidden to root
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
try:
    objects.put("a", [b"1"])
except ObjectStoreFailed as error:
    print(error)
"""


def test_a_folder_without_permission_is_said() -> None:
    with tempfile.TemporaryDirectory() as place:  # where others may go, unlike pytest's own
        Path(place).chmod(0o755)
        (Path(place) / "objects").mkdir(mode=0o500)
        child = [sys.executable, "-c", FORBIDDEN, f"{place}/objects"]
        done = subprocess.run(child, check=True, capture_output=True, text=True)
    assert "'a' cannot be written: Permission denied" in done.stdout


def test_a_file_that_another_process_swept_before_it_was_locked_is_begun_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, lock = FilesystemObjects(tmp_path), fcntl.flock
    store.put("first", [b"1"])

    def swept(file: int, how: int) -> None:
        monkeypatch.setattr(fcntl, "flock", lock)
        FilesystemObjects(tmp_path).put("other", [b"2"])
        lock(file, how)

    monkeypatch.setattr(fcntl, "flock", swept)
    store.put("second", [b"3"])
    assert b"".join(store.get("second")) == b"3"
    assert incoming(tmp_path) == []


def test_a_file_that_cannot_be_locked_is_said_and_not_left_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unlockable(file: int, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    store = FilesystemObjects(tmp_path)
    store.put("first", [b"1"])
    monkeypatch.setattr(fcntl, "flock", unlockable)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(ObjectStoreFailed, match="'second' cannot be written: No locks available"):
        store.put("second", [b"2"])
    assert len(os.listdir("/proc/self/fd")) == before

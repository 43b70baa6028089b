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

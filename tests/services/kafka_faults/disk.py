"""A disk with little room, which can be filled."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

SIZE_MB = 256
FULL = "No space left on device"


class SmallDisk:
    """A file system of its own. folder: where it is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filling = folder / "filling"

    def fill(self) -> None:
        """Take every byte that is left."""
        with self._filling.open("wb", buffering=0) as file:
            for size in (1 << 20, 1 << 12, 1):
                with suppress(OSError):  # it is full
                    while file.write(b"x" * size) == size:
                        pass

    def free(self) -> None:
        """Give it back."""
        self._filling.unlink()

    def says_so(self, log: str) -> bool:
        """Whether a program's log names the reason."""
        return FULL in log


@contextmanager
def small_disk(directory: Path) -> Iterator[SmallDisk]:
    """A file system in memory; the test is skipped where this user may not mount one."""
    folder = directory / "disk"
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={SIZE_MB}m", "tmpfs", str(folder)]
    mounted = subprocess.run(["mount", *options], capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"a disk to be filled takes the right to mount one: {mounted.stderr.strip()}")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)

"""Control records in the table `control` of a journal directory's `journal.sqlite`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from shardlog.adapters.sqlite.control import CONTROL_NAME, opened_control, prepare_control
from shardlog.ports.control import Control


class SqliteControl(Control):
    """The table of one directory, which is made where it is missing. A connection for each piece of work."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / CONTROL_NAME
        prepare_control(directory)

    def read(self) -> Mapping[str, bytes]:
        return _read(self._path)

    def write(self, key: str, value: bytes) -> None:
        with opened_control(self._path) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT OR REPLACE INTO control VALUES (?, ?)", (key, value))
            connection.execute("COMMIT")

    def close(self) -> None:
        """Nothing is held."""


def read_control(directory: Path) -> Mapping[str, bytes]:
    """The control records of a journal that is there; nothing is made. Raises JournalError."""
    return _read(directory / CONTROL_NAME)


def _read(path: Path) -> Mapping[str, bytes]:
    with opened_control(path) as connection:
        return dict(connection.execute("SELECT key, value FROM control").fetchall())

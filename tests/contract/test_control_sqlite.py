"""Control records in SQLite keep the contract, in the table that holds the meta record."""

from __future__ import annotations

from pathlib import Path

import pytest

from shardlog.adapters.sqlite.control import open_meta, read_meta
from shardlog.adapters.sqlite.control_records import SqliteControl
from shardlog.journal.control import META_KEY, decode_meta
from shardlog.ports.control import Control
from shardlog.testing.contracts.control import ControlContract


class TestSqliteControl(ControlContract):
    @pytest.fixture(autouse=True)
    def _directory(self, tmp_path: Path) -> None:
        self.directory = tmp_path

    def open(self) -> Control:
        return SqliteControl(self.directory)


def test_the_meta_record_of_a_directory_is_one_of_its_control_records(tmp_path: Path) -> None:
    meta = open_meta(tmp_path, "acme", 4, {"account": 1}, 5)
    control = SqliteControl(tmp_path)
    control.write("owner/0", b"x")
    assert decode_meta(control.read()[META_KEY]) == meta == read_meta(tmp_path)

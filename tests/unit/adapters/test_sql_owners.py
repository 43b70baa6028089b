"""A table belongs to one version of one projection: another that would fill it too is refused."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from shardlog import Key, Projection, Row
from shardlog.adapters.sql.store import SqlProjectionStore
from shardlog.errors import TableMismatch
from shardlog.ports.builds import Build


class Count(Row, name="counts"):
    name: Key[str]
    count: int = 0


def prepare(database: Path, projection: Projection) -> None:
    store = SqlProjectionStore(database)
    try:
        store.builds.begin(Build(projection, 1), {})
    finally:
        store.close()


def test_a_projection_finds_its_own_table_again(tmp_path: Path) -> None:
    for _ in range(2):
        prepare(tmp_path / "tables.sqlite", Projection("counting", rows=[Count]))


def test_a_renamed_projection_does_not_fill_the_old_ones_table_a_second_time(tmp_path: Path) -> None:
    prepare(tmp_path / "tables.sqlite", Projection("counting", rows=[Count]))
    with pytest.raises(TableMismatch, match="'counting' shows already"):
        prepare(tmp_path / "tables.sqlite", Projection("reckoning", rows=[Count]))


def test_a_table_that_no_projection_made_is_not_filled(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "tables.sqlite")
    connection.execute("CREATE TABLE counts (name TEXT PRIMARY KEY, count INTEGER)")
    connection.commit()
    connection.close()
    with pytest.raises(TableMismatch, match="there is one that no projection made"):
        prepare(tmp_path / "tables.sqlite", Projection("counting", rows=[Count]))

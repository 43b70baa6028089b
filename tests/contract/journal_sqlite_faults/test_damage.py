"""Rows and pages of a SQLite journal that are not what was appended are corrupt, and not read."""

from __future__ import annotations

from pathlib import Path

import pytest

from shardlog.adapters.sqlite.journal import SqliteJournal
from shardlog.adapters.sqlite.shard_file import row_digest, shard_path
from shardlog.errors import Corrupt
from shardlog.testing.contracts.journal import append
from tests.contract.journal_sqlite_faults.strangers import change, values


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE record SET value = x'00' WHERE offset = 2",
        "UPDATE record SET value = 'text' WHERE offset = 2",
        "UPDATE record SET value = 7 WHERE offset = 2",
        "UPDATE record SET digest = x'0000000000000000' WHERE offset = 2",
        "UPDATE record SET digest = (SELECT digest FROM record WHERE offset = 1),"
        " value = (SELECT value FROM record WHERE offset = 1) WHERE offset = 2",
        "DELETE FROM record WHERE offset = 2",
    ],
)
def test_a_row_that_is_not_what_was_appended_is_corrupt_and_nothing_behind_it_is_read(
    journal: SqliteJournal, tmp_path: Path, statement: str
) -> None:
    append(journal.writer(0), b"a", b"b", b"c", b"d")
    change(shard_path(tmp_path, 0), statement)
    reading = journal.read(0, 0)
    assert [next(reading), next(reading)] == [(0, b"a"), (1, b"b")]
    with pytest.raises(Corrupt) as caught:
        next(reading)
    assert (caught.value.shard, caught.value.offset) == (0, 2)
    assert list(reading) == []


def test_a_missing_last_row_is_corrupt(journal: SqliteJournal, tmp_path: Path) -> None:
    append(journal.writer(0), b"a", b"b")
    change(shard_path(tmp_path, 0), "DELETE FROM record WHERE offset = 1")
    with pytest.raises(Corrupt, match="missing"):
        values(journal)


def test_a_bit_flipped_on_the_disk_is_corrupt_with_shard_and_offset(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path, 2)
    append(journal.writer(1), b"a", b"the middle one", b"c")
    journal.close()
    path = shard_path(tmp_path, 1)
    data = bytearray(path.read_bytes())
    data[data.index(b"the middle one") + 5] ^= 0x10
    path.write_bytes(data)
    journal = SqliteJournal(tmp_path, 2)
    with pytest.raises(Corrupt, match="checksum") as caught:
        values(journal, 1)
    assert (caught.value.shard, caught.value.offset) == (1, 1)
    journal.close()


def test_a_database_whose_pages_are_damaged_is_corrupt(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path, 1)
    append(journal.writer(0), *[b"x" * 3_000] * 40)
    journal.close()
    path = shard_path(tmp_path, 0)
    data = bytearray(path.read_bytes())
    data[8 * 4096 :] = b"\xee" * (len(data) - 8 * 4096)
    path.write_bytes(data)
    journal = SqliteJournal(tmp_path, 1)
    with pytest.raises(Corrupt):
        values(journal)
    journal.close()


def test_the_checksum_covers_the_offset() -> None:
    assert row_digest(1, b"a") != row_digest(2, b"a")
    assert len(row_digest(1, b"a")) == 8

"""What SQLite raises becomes one of our errors, and a file that is not the shard's is refused by name."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from shardlog.adapters.sqlite.errors import append_failed, explain, sqlite_errors
from shardlog.adapters.sqlite.journal import SqliteJournal
from shardlog.adapters.sqlite.shard_file import connect, shard_path
from shardlog.errors import JournalError, JournalMismatch, ShardlogError
from shardlog.testing.contracts.journal import append
from tests.contract.journal_sqlite_faults.strangers import change


def subclasses(error: type[BaseException]) -> list[type[BaseException]]:
    return [error, *(deeper for direct in error.__subclasses__() for deeper in subclasses(direct))]


@pytest.mark.parametrize(
    "raised",
    [*subclasses(sqlite3.Error), *subclasses(sqlite3.Warning), OverflowError],
    ids=lambda error: error.__name__,
)
def test_every_exception_of_sqlite_becomes_one_of_ours(raised: type[Exception]) -> None:
    with pytest.raises(ShardlogError, match=r"/d/shard-0000\.sqlite: reading failed: .*it happened"):  # noqa: SIM117
        with sqlite_errors(Path("/d/shard-0000.sqlite"), "reading"):
            raise raised("it happened")


def test_the_codes_an_operator_meets_are_explained_in_words() -> None:
    for code in ("FULL", "NOTADB", "CORRUPT", "BUSY", "READONLY", "CANTOPEN", "IOERR", "PERM", "PROTOCOL", "TOOBIG"):
        error = sqlite3.OperationalError("said by SQLite")
        error.sqlite_errorcode = getattr(sqlite3, f"SQLITE_{code}") | 0x0700
        error.sqlite_errorname = f"SQLITE_{code}"
        text = str(append_failed(error, Path("/d/f")))
        assert text.startswith("/d/f: an append failed: ")
        assert "said by SQLite" in text
        assert not text.startswith("/d/f: an append failed: OperationalError"), f"{code} is not explained"


def test_an_unknown_code_is_told_as_it_is() -> None:
    error = sqlite3.OperationalError("odd")
    assert explain(error, Path("/d/f"), "reading") == "/d/f: reading failed: OperationalError: odd"


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    shard_path(tmp_path, 0).write_bytes(b"something else entirely" * 100)
    journal = SqliteJournal(tmp_path, 1)
    for use in (journal.offsets, journal.writer):
        with pytest.raises(JournalError, match=r"shard-0000\.sqlite.*no SQLite database"):
            use(0)
    journal.close()


def test_another_programs_database_is_left_as_it_is(tmp_path: Path) -> None:
    path = shard_path(tmp_path, 0)
    change(path, "CREATE TABLE theirs (x)")
    before = path.read_bytes()
    journal = SqliteJournal(tmp_path, 1)
    with pytest.raises(JournalError, match="another program"):
        journal.offsets(0)
    journal.close()
    assert path.read_bytes() == before


def test_a_file_of_a_newer_schema_is_refused(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path, 1)
    append(journal.writer(0), b"a")
    journal.close()
    change(shard_path(tmp_path, 0), "PRAGMA user_version = 2")
    journal = SqliteJournal(tmp_path, 1)
    with pytest.raises(JournalError, match=r"schema 2.*knows 1"):
        journal.offsets(0)
    journal.close()


def test_another_shards_file_is_refused(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path, 2)
    append(journal.writer(0), b"a")
    journal.close()
    shard_path(tmp_path, 0).rename(shard_path(tmp_path, 1))
    journal = SqliteJournal(tmp_path, 2)
    with pytest.raises(JournalMismatch, match="of shard 0, not 1"):
        journal.offsets(1)
    journal.close()


def test_a_directory_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    journal = SqliteJournal(tmp_path / "file" / "below", 1)
    with pytest.raises(JournalError, match="below"):
        journal.offsets(0)
    journal.close()


def test_a_closed_journal_says_so(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path, 1)
    journal.close()
    with pytest.raises(JournalError, match="closed"):
        journal.offsets(0)


def test_a_shard_that_is_none_is_refused(journal: SqliteJournal) -> None:
    with pytest.raises(ValueError, match="shard 2 is not one of 2"):
        journal.offsets(2)


def test_a_commit_is_durable(tmp_path: Path, journal: SqliteJournal) -> None:
    journal.offsets(0)
    connection = connect(shard_path(tmp_path, 0), 100)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    connection.close()


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    shard_path(tmp_path, 0).mkdir()
    journal = SqliteJournal(tmp_path, 1)
    with pytest.raises(JournalError, match=r"shard-0000\.sqlite"):
        journal.offsets(0)

"""A journal directory's meta record and lock."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from shardlog.adapters.sqlite.control import open_meta, read_meta
from shardlog.adapters.sqlite.lock import DirectoryLock
from shardlog.errors import JournalError, JournalHeld, JournalMismatch

HOLDER = """
import sys
from pathlib import Path
from shardlog.adapters.sqlite.lock import DirectoryLock

lock = DirectoryLock(Path(sys.argv[1]))
lock.acquire()
print("held", flush=True)
sys.stdin.readline()
"""
OTHER = "11111111-2222-4333-8444-555555555555"


def test_the_first_start_makes_the_meta_record_and_later_ones_find_it(tmp_path: Path) -> None:
    made = open_meta(tmp_path, "acme", 4, {"account": 1, "cart": None}, 7)
    assert (made.name, made.time, made.shards) == ("acme", 7, 4)
    assert dict(made.categories) == {"account": 1, "cart": 0}
    assert open_meta(tmp_path, "acme", 4, {"account": 1, "cart": None}, 9) == made
    assert read_meta(tmp_path) == made


def test_two_journals_have_two_ids(tmp_path: Path) -> None:
    ids = {open_meta(tmp_path / name, "acme", 4, {}, 7).journal for name in _made(tmp_path, "a", "b")}
    assert len(ids) == 2


def test_a_new_category_is_added_and_stays(tmp_path: Path) -> None:
    made = open_meta(tmp_path, "acme", 4, {"account": 1}, 7)
    assert dict(open_meta(tmp_path, "acme", 4, {"cart": 0}, 8).categories) == {"account": 1, "cart": 0}
    stored = read_meta(tmp_path)
    assert dict(stored.categories) == {"account": 1, "cart": 0}
    assert stored.journal == made.journal


def test_what_disagrees_is_refused_and_nothing_is_changed(tmp_path: Path) -> None:
    made = open_meta(tmp_path, "acme", 4, {"account": 1}, 7)
    with pytest.raises(JournalMismatch, match="shards"):
        open_meta(tmp_path, "acme", 8, {"account": 1}, 8)
    with pytest.raises(JournalMismatch, match="account"):
        open_meta(tmp_path, "acme", 4, {"account": 0, "cart": 1}, 8)
    with pytest.raises(JournalMismatch, match=OTHER):
        open_meta(tmp_path, "acme", 4, {}, 8, journal=OTHER)
    assert read_meta(tmp_path) == made


def test_a_journal_can_be_made_under_a_given_id(tmp_path: Path) -> None:
    assert open_meta(tmp_path, "acme", 4, {}, 7, journal=OTHER).journal == OTHER


def test_an_empty_directory_holds_no_journal(tmp_path: Path) -> None:
    with pytest.raises(JournalMismatch, match="no journal"):
        read_meta(tmp_path)


def test_a_control_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite").write_bytes(b"something else" * 100)
    with pytest.raises(JournalError, match=r"journal\.sqlite.*no SQLite database"):
        open_meta(tmp_path, "acme", 4, {}, 7)


def test_a_meta_record_of_another_format_is_refused(tmp_path: Path) -> None:
    open_meta(tmp_path, "acme", 4, {}, 7)
    connection = sqlite3.connect(tmp_path / "journal.sqlite")
    connection.execute("UPDATE control SET value = CAST(replace(value, '\"shardlog\",1', '\"shardlog\",2') AS BLOB)")
    connection.commit()
    connection.close()
    with pytest.raises(JournalMismatch, match="format 2"):
        open_meta(tmp_path, "acme", 4, {}, 7)


def test_a_held_directory_names_its_holder_and_is_free_after_its_death(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(JournalHeld) as caught:
            DirectoryLock(tmp_path).acquire()
        assert str(tmp_path) in str(caught.value)
        assert str(process.pid) in str(caught.value)
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        with DirectoryLock(tmp_path):
            assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"
    finally:
        process.kill()
        process.communicate(timeout=30)


def test_a_released_lock_is_free(tmp_path: Path) -> None:
    one, two = DirectoryLock(tmp_path), DirectoryLock(tmp_path)
    one.acquire()
    one.acquire()
    with pytest.raises(JournalHeld):
        two.acquire()
    one.release()
    one.release()
    with two:
        pass


def _made(directory: Path, *names: str) -> tuple[str, ...]:
    for name in names:
        (directory / name).mkdir()
    return names

"""The SQLite journal when things go wrong: damage, other processes, kills, stops, a full disk."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from shardlog.adapters.sqlite.errors import append_failed, explain, sqlite_errors
from shardlog.adapters.sqlite.journal import SqliteJournal
from shardlog.adapters.sqlite.shard_file import connect, row_digest, shard_path
from shardlog.adapters.sqlite.writer import SqliteWriter
from shardlog.errors import AppendFailed, Corrupt, JournalError, JournalMismatch, ShardlogError
from shardlog.journal.effects import Acknowledged, Effect, Fenced, Owner, Replay
from shardlog.journal.reader import Reader
from shardlog.journal.records import encode_frame
from shardlog.journal.writer import JournalWriter
from shardlog.testing.contracts.journal import Reports, append

JOURNAL = "018f3c2e-7b1a-7c3d-9e4f-5a6b7c8d9e0f"
FRAME_BYTES_MAX = 900_000
APPENDER = """
import sys
from pathlib import Path
from shardlog.adapters.sqlite.journal import SqliteJournal
from shardlog.testing.contracts.journal import append

directory, name, count = Path(sys.argv[1]), sys.argv[2].encode(), int(sys.argv[3])
journal = SqliteJournal(directory, 2)
writer = journal.writer(0)
for number in range(count):
    (offset,) = append(writer, b"%b %06d" % (name, number))
    print(offset, flush=True)
journal.close()
"""
HOLDER = """
import sys
from pathlib import Path
from shardlog.adapters.sqlite.shard_file import connect, row_digest

connection = connect(Path(sys.argv[1]), 5_000)
connection.execute("BEGIN IMMEDIATE")
(next,) = connection.execute("SELECT next FROM bounds").fetchone()
connection.execute("INSERT INTO record VALUES (?, ?, ?)", (next, row_digest(next, b"held"), b"held"))
print("begun", flush=True)
sys.stdin.readline()
connection.execute("COMMIT")
print("committed", flush=True)
sys.stdin.readline()
"""
FILLER = """
import resource, signal, sys
from pathlib import Path
from shardlog.adapters.sqlite.journal import SqliteJournal
from shardlog.testing.contracts.journal import Reports

journal = SqliteJournal(Path(sys.argv[1]), 2)
writer = journal.writer(0)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))
for number in range(100):
    reports = Reports()
    reports.append(writer, b"%06d" % number * 20_000)
    (report,) = reports.wait(1)
    print(report, flush=True)
    if isinstance(report, Exception):
        break
"""


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[SqliteJournal]:
    journal = SqliteJournal(tmp_path, 2, busy_ms=300)
    yield journal
    journal.close()


@contextmanager
def running(script: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A process of its own that runs a script; killed at the end if it still lives."""
    process = subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=30)


def line(stream: IO[str] | None) -> str:
    assert stream is not None
    return stream.readline().strip()


def tell(process: subprocess.Popen[str]) -> None:
    """Let the holder go on."""
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def values(journal: SqliteJournal, shard: int = 0) -> list[bytes]:
    return [value for _, value in journal.read(shard, 0)]


def change(path: Path, statement: str) -> None:
    """What a stranger does to the file."""
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()


# -- damage ------------------------------------------------------------------------------------------------------------
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


# -- processes ---------------------------------------------------------------------------------------------------------
def test_two_processes_on_one_directory_keep_their_orders(tmp_path: Path) -> None:
    with running(APPENDER, tmp_path, "one", 150) as one, running(APPENDER, tmp_path, "two", 150) as two:
        offsets = [int(text) for p in (one, two) for text in p.communicate(timeout=120)[0].split()]
        assert (one.returncode, two.returncode) == (0, 0)
    journal = SqliteJournal(tmp_path, 2)
    read = list(journal.read(0, 0))
    journal.close()
    assert sorted(offsets) == [offset for offset, _ in read] == list(range(300))
    for name in (b"one", b"two"):
        own = [value for _, value in read if value.startswith(name)]
        assert own == [b"%b %06d" % (name, number) for number in range(150)]


def test_several_may_make_the_same_files_at_once(tmp_path: Path) -> None:
    together = 6
    for round_ in range(20):
        start = threading.Barrier(together)

        def make(directory: Path, start: threading.Barrier) -> list[bytes]:
            start.wait(30)
            journal = SqliteJournal(directory, 1)
            append(journal.writer(0), b"a")
            read = values(journal)
            journal.close()
            return read

        with ThreadPoolExecutor(together) as pool:
            made = [pool.submit(make, tmp_path / str(round_), start) for _ in range(together)]
            assert max(len(future.result(60)) for future in made) == together


def test_after_a_kill_whatever_was_reported_is_there(tmp_path: Path) -> None:
    with running(APPENDER, tmp_path, "killed", 1_000_000) as process:
        reported = [int(line(process.stdout)) for _ in range(40)]
        process.send_signal(signal.SIGKILL)
        rest = process.communicate(timeout=30)[0]
    journal = SqliteJournal(tmp_path, 2)
    read = list(journal.read(0, 0))
    assert len(read) >= max([*reported, *(int(text) for text in rest.split())]) + 1
    assert read == [(number, b"killed %06d" % number) for number in range(len(read))]  # some unreported
    assert append(journal.writer(0), b"next") == [len(read)]
    journal.close()


def test_a_process_stopped_within_its_transaction_fails_others_and_loses_nothing(
    journal: SqliteJournal, tmp_path: Path
) -> None:
    append(journal.writer(0), b"before")
    with running(HOLDER, shard_path(tmp_path, 0)) as holder:
        assert line(holder.stdout) == "begun"
        holder.send_signal(signal.SIGSTOP)
        reports = Reports()
        reports.append(journal.writer(0), b"refused")
        (report,) = reports.wait(1)
        assert isinstance(report, AppendFailed)
        assert "another process" in str(report)
        assert str(shard_path(tmp_path, 0)) in str(report)
        assert values(journal) == [b"before"]  # readers are not held up, and see no half transaction
        holder.send_signal(signal.SIGCONT)
        tell(holder)
        assert line(holder.stdout) == "committed"
        assert append(journal.writer(0), b"after") == [2]
    assert values(journal) == [b"before", b"held", b"after"]


def test_a_process_killed_within_its_transaction_leaves_nothing(journal: SqliteJournal, tmp_path: Path) -> None:
    append(journal.writer(0), b"before")
    with running(HOLDER, shard_path(tmp_path, 0)) as holder:
        assert line(holder.stdout) == "begun"
        holder.send_signal(signal.SIGKILL)
        holder.wait(30)
        assert append(journal.writer(0), b"after") == [1]
    assert values(journal) == [b"before", b"after"]


def test_abandoning_is_not_held_up_by_another_process(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path, 1, busy_ms=3_600_000)
    append(journal.writer(0), b"before")
    with running(HOLDER, shard_path(tmp_path, 0)) as holder:
        assert line(holder.stdout) == "begun"
        writer = journal.writer(0)
        assert isinstance(writer, SqliteWriter)
        reports = Reports()
        reports.append(writer, b"a", b"b")
        writer.abandon(60_000)
        assert writer.has_ended
        assert all(isinstance(report, AppendFailed) for report in reports.wait(2))
    assert values(journal) == [b"before"]
    journal.close()


# -- a full disk -------------------------------------------------------------------------------------------------------
def test_a_full_disk_fails_every_value_of_the_transaction_and_reading_goes_on(
    journal: SqliteJournal, tmp_path: Path
) -> None:
    append(journal.writer(0), b"before")
    writer = journal.writer(0)
    assert isinstance(writer, SqliteWriter)
    writer._connection.execute("PRAGMA max_page_count = 40")
    reports = Reports()
    reports.append(writer, *[b"x" * 100_000] * 3)
    for report in reports.wait(3):
        assert isinstance(report, AppendFailed)
        assert "disk is full" in str(report)
        assert str(shard_path(tmp_path, 0)) in str(report)
    later = Reports()
    later.append(writer, b"small")
    assert isinstance(later.wait(1)[0], AppendFailed)  # a writer that failed is of no use, though there were room
    stand = values(journal)
    assert stand == [b"before"]
    assert append(journal.writer(0), b"after") == [1]


def test_a_disk_that_takes_no_more_at_commit_fails_the_append_and_keeps_what_was_reported(tmp_path: Path) -> None:
    with running(FILLER, tmp_path) as process:
        lines = process.communicate(timeout=120)[0].splitlines()
    assert lines[:-1] == [str(number) for number in range(len(lines) - 1)]
    assert len(lines) > 3
    assert str(shard_path(tmp_path, 0)) in lines[-1]
    assert "disk" in lines[-1]
    journal = SqliteJournal(tmp_path, 2)
    read = values(journal)
    assert read[: len(lines) - 1] == [b"%06d" % number * 20_000 for number in range(len(lines) - 1)]
    assert len(read) <= len(lines)  # the one that failed may stand there or not
    assert append(journal.writer(0), b"after") == [len(read)]
    journal.close()


# -- what SQLite raises ------------------------------------------------------------------------------------------------
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


# -- the protocol on top -----------------------------------------------------------------------------------------------
class Shard:
    """A journal's writer over a SQLite shard, driven by hand."""

    def __init__(self, journal: SqliteJournal, number: int) -> None:
        self.journal = journal
        self.writer = JournalWriter(Reader(JOURNAL, 0, 2))
        self.port = journal.writer(0)
        self.nonce = f"{number:032x}"

    def read(self) -> list[Effect]:
        position = self.writer.reader.position
        effects: list[Effect] = []
        for offset, value in self.journal.read(0, position):
            effects.append(self.writer.read(offset, value))
            if isinstance(effects[-1], Fenced):
                break
        return effects

    def take_over(self) -> list[Effect]:
        self.read()
        append(self.port, self.writer.claim(self.nonce, "owner", "", 0, 1, ""))
        return self.read()

    def write(self, body: bytes) -> Effect:
        frame = self.writer.frame(body)
        (offset,) = append(self.port, frame.value)
        return self.writer.reported(frame, offset)


def test_a_shard_is_taken_over_and_the_former_owner_is_fenced(journal: SqliteJournal) -> None:
    first, second = Shard(journal, 1), Shard(journal, 2)
    assert first.take_over() == [Owner(1)]
    body = encode_frame(1, {}, [])
    assert isinstance(first.write(body), Acknowledged)
    assert second.take_over() == [Owner(2)]
    late = first.writer.frame(body)
    append(first.port, late.value)
    assert first.read() == [Fenced(2)]
    third = Shard(journal, 3)
    third.take_over()
    assert third.writer.reader.epoch == 3
    assert third.writer.reader.invalid["epoch"] == 1


def test_a_frame_at_the_size_limit_is_written_and_replayed(journal: SqliteJournal) -> None:
    shard = Shard(journal, 1)
    shard.take_over()
    empty = encode_frame(1, {}, [b'["x","feeder:a:b",0,"undecodable",""]'])
    room = FRAME_BYTES_MAX - len(shard.writer.frame(empty).value)
    shard.writer.fail("only to measure")
    shard.writer.abandoned()
    shard.nonce = f"{9:032x}"
    shard.take_over()
    body = encode_frame(1, {}, [b'["x","feeder:a:b",0,"undecodable","%b"]' % (b"m" * room)])
    assert isinstance(shard.write(body), Acknowledged)
    other = Shard(journal, 2)
    (replay,) = [effect for effect in other.read() if isinstance(effect, Replay)]
    assert bytes(replay.body) == body


def test_a_flipped_bit_is_never_replayed(journal: SqliteJournal, tmp_path: Path) -> None:
    shard = Shard(journal, 1)
    shard.take_over()
    shard.write(encode_frame(1, {}, []))
    change(shard_path(tmp_path, 0), "UPDATE record SET value = replace(value, '[1,', '[2,') WHERE offset = 1")
    other = Shard(journal, 2)
    with pytest.raises(Corrupt) as caught:
        other.read()
    assert (caught.value.shard, caught.value.offset) == (0, 1)
    assert other.writer.reader.seq == 0


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    shard_path(tmp_path, 0).mkdir()
    journal = SqliteJournal(tmp_path, 1)
    with pytest.raises(JournalError, match=r"shard-0000\.sqlite"):
        journal.offsets(0)

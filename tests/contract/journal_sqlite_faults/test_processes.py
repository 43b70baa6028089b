"""A SQLite journal beside other processes: together, killed, and stopped within a transaction."""

from __future__ import annotations

import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from shardlog.adapters.sqlite.journal import SqliteJournal
from shardlog.adapters.sqlite.shard_file import shard_path
from shardlog.adapters.sqlite.writer import SqliteWriter
from shardlog.errors import AppendFailed
from shardlog.testing.contracts.journal import Reports, append
from tests.contract.journal_sqlite_faults.strangers import line, running, tell, values

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

"""A disk that takes no more fails the append, and keeps what was reported."""

from __future__ import annotations

from pathlib import Path

from shardlog.adapters.sqlite.journal import SqliteJournal
from shardlog.adapters.sqlite.shard_file import shard_path
from shardlog.adapters.sqlite.writer import SqliteWriter
from shardlog.errors import AppendFailed
from shardlog.testing.contracts.journal import Reports, append
from tests.contract.journal_sqlite_faults.strangers import running, values

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

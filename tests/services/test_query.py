"""`shardlog query`: tables as they are and as they were, from real processes, beside a server, and from a topic."""

from __future__ import annotations

import csv
import io
import shutil
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from domain.banking.account import account
from domain.banking.messages import Deposit
from shardlog.adapters.sqlite.journal import SqliteJournal
from shardlog.cli.exit_codes import ExitCode
from shardlog.cli.printing import instant
from shardlog.inspection.records import entries
from shardlog.sharding import shard_of
from tests.services.command_line import Said, fill, open_engine, running, shardlog
from tests.services.kafka_roles import SHARDS, Load, Place, eventually

ADA = "SELECT account, balance FROM account_balances WHERE account = 'l1:ada'"


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that banking has filled: ada has 0, 2, 5 and 9 after her events. Tests only read it."""
    folder = tmp_path_factory.mktemp("filled")
    fill(folder)
    return folder


@pytest.fixture
def folder(filled: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return shutil.copytree(filled, tmp_path / "copy")


def steps(folder: Path) -> list[Any]:
    """Ada's events."""
    return shardlog(folder, "stream", "account/l1:ada", "--json").lines


def query(folder: Path, *arguments: str, **more: str) -> Said:
    return shardlog(folder, "query", "balances", *arguments, **more)


# -- as they are -------------------------------------------------------------------------------------------------------
def test_the_tables_are_shown_as_they_are(filled: Path) -> None:
    found = query(filled, "--json").json
    assert found["ledger_balances"][0] == {"ledger": "l1", "accounts": 1, "balance": 9, "in_transit": 0}
    assert [row["account"] for row in found["account_balances"]] == ["l1:ada", "l2:bob", "l3:eve"]
    lines = query(filled).out.splitlines()
    assert lines[:2] == ["account_balances", "account  ledger  owner  balance  in_transit  closed"]
    assert lines[5:7] == ["", "ledger_balances"]


def test_a_select_is_printed_in_each_format(filled: Path) -> None:
    assert query(filled, "--sql", ADA).out == "account  balance\nl1:ada   9\n"
    assert list(csv.reader(io.StringIO(query(filled, "--sql", ADA, "--format", "csv").out))) == [
        ["account", "balance"],
        ["l1:ada", "9"],
    ]
    assert query(filled, "--sql", ADA, "--format", "ndjson").lines == [{"account": "l1:ada", "balance": 9}]
    assert query(filled, "--sql", ADA, "--format", "json").json == [{"account": "l1:ada", "balance": 9}]


def test_a_limit_shows_the_first_rows_and_says_so(filled: Path) -> None:
    said = query(filled, "--limit", "1").out
    assert "l1:ada" in said and "l2:bob" not in said
    assert said.count("... and more: these are the first 1; --limit shows others") == 3


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM account_balances",
        "WITH a AS (SELECT 1) UPDATE account_balances SET balance = 0",
        "SELECT 1; DELETE FROM account_balances",
        "ATTACH 'other.sqlite' AS other",
        "PRAGMA user_version = 7",
        "SELECT nothing",
        "",
    ],
)
def test_nothing_but_one_select_is_run(sql: str, folder: Path) -> None:
    before = query(folder, "--json").json
    said = query(folder, "--sql", sql)
    assert (said.code, said.out) == (ExitCode.USAGE, "")
    assert said.err.startswith("shardlog: ")
    assert query(folder, "--json").json == before
    assert not (folder / "other.sqlite").exists()


def test_what_cannot_be_meant_is_refused(filled: Path) -> None:
    for arguments, why in (
        (["balanc"], "did you mean 'balances'"),
        (["balances", "--format", "csv"], "holds one table, and there are 3"),
        (["balances", "--keep", "x"], "give --as-of"),
        (["balances", "--as-of", "2026-03-01"], "has no time zone"),
        (["balances", "--as-of", "occurred:2026-03-01T00:00:00Z", "--schema", "x"], "name its --database"),
        (["balances", "--as-of", "0d9ab5de-9d0b-4b57-8d6f-6a4a7f6b6a11.0.1.0"], "in another journal"),
    ):
        said = shardlog(filled, "query", *arguments)
        assert (said.code, said.out) == (ExitCode.USAGE, ""), said
        assert why in said.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--limit", "1"],
        ["--limit", "1", "--format", "json"],
        ["--limit", "1", "--sql", "SELECT * FROM account_balances"],
    ],
)
def test_rows_that_are_not_read_leave_no_trace_behind(filled: Path, arguments: list[str]) -> None:
    """Only the process itself shows it: it is printed when what was begun is thrown away."""
    said = query(filled, *arguments)
    assert (said.code, said.err) == (0, "")
    assert "l1:ada" in said.out and "l2:bob" not in said.out


def test_rows_of_an_earlier_time_that_are_not_read_leave_no_trace_either(filled: Path) -> None:
    said = query(filled, "--as-of", steps(filled)[-1]["time"], "--limit", "1")
    assert said.code == 0 and "l1:ada" in said.out
    assert len(said.err.splitlines()) == 1 and "of" in said.err, said.err


# -- as they were ------------------------------------------------------------------------------------------------------
def test_the_tables_are_as_they_were_at_each_of_a_stream_s_events(filled: Path) -> None:
    for step, balance in zip(steps(filled), [0, 2, 5, 9], strict=True):
        for as_of in (step["time"], step["token"], f"occurred:{step['time']}"):
            said = query(filled, "--as-of", as_of, "--sql", ADA, "--json")
            assert said.json == [{"account": "l1:ada", "balance": balance}], (as_of, said.err)


@pytest.mark.parametrize("kind", ["", "occurred:"])
def test_a_time_in_the_future_is_said_to_be_one(filled: Path, kind: str) -> None:
    said = query(filled, "--as-of", f"{kind}2999-01-01T00:00:00Z", "--sql", ADA, "--json")
    assert said.json == [{"account": "l1:ada", "balance": 9}]
    assert "2999-01-01T00:00:00+00:00 is in the future: these are the tables as of now" in said.err
    assert "future" not in query(filled, "--as-of", f"{kind}{steps(filled)[-1]['time']}", "--sql", ADA).err


def test_they_can_be_kept_in_a_file_and_a_second_one_is_not_written_over(folder: Path) -> None:
    token = steps(folder)[1]["token"]
    said = query(folder, "--as-of", token, "--keep", "then.sqlite")
    assert said.code == 0
    assert "the tables stay in then.sqlite" in said.err
    with sqlite3.connect(folder / "then.sqlite") as kept:
        assert kept.execute(ADA).fetchall() == [("l1:ada", 2)]
        assert not [n for (n,) in kept.execute("SELECT name FROM sqlite_master") if n.startswith("shardlog_")]
    kept.close()
    again = query(folder, "--as-of", token, "--keep", "then.sqlite")
    assert (again.code, again.out) == (ExitCode.CONFIGURATION, "")
    assert "is there already" in again.err


def test_a_server_may_run_meanwhile(folder: Path) -> None:
    token = steps(folder)[1]["token"]
    with running(folder, "dev", "--port", "0") as server:
        assert server.stdout is not None
        server.stdout.readline()
        assert query(folder, "--as-of", token, "--sql", ADA, "--json").json[0]["balance"] == 2
        assert query(folder, "--sql", ADA, "--json").json[0]["balance"] == 9


def test_they_are_built_where_no_table_ever_was(folder: Path) -> None:
    for path in (folder / "journal").glob("projections.sqlite*"):
        path.unlink()
    said = query(folder, "--sql", ADA)
    assert said.code == ExitCode.FAILED
    assert "there are no tables at" in said.err
    assert query(folder, "--as-of", steps(folder)[2]["token"], "--sql", ADA, "--json").json[0]["balance"] == 5
    assert not (folder / "journal" / "projections.sqlite").exists()


def test_a_journal_without_its_beginning_is_refused_with_the_way_out(folder: Path) -> None:
    step = steps(folder)[-1]
    journal = SqliteJournal(folder / "journal", 2)
    journal.truncate(shard_of("l1", 2), 2)
    journal.close()
    said = query(folder, "--as-of", step["time"])
    assert (said.code, said.out) == (ExitCode.DAMAGED, "")
    assert "begins at offset 2" in said.err and "backup" in said.err


def test_they_are_the_same_after_more_has_happened(folder: Path) -> None:
    as_of = ("--as-of", steps(folder)[-1]["token"], "--json")
    before = query(folder, *as_of).json
    with open_engine(folder) as engine:
        engine.send(account.stream("l1:ada"), Deposit(amount=100))
        engine.wait_for_projections()
    assert query(folder, "--sql", ADA, "--json").json[0]["balance"] == 109
    assert query(folder, *as_of).json == before


# -- in PostgreSQL -----------------------------------------------------------------------------------------------------
@pytest.fixture
def server(postgresql: str) -> tuple[str, dict[str, str]]:
    """A URL without its password, and the environment that has it."""
    parts = urlsplit(postgresql)
    bare = urlunsplit(parts._replace(netloc=f"{parts.username}@{parts.hostname}:{parts.port}"))
    return bare, {"PGPASSWORD": parts.password or ""}


def schemas(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%'").fetchall()
        return {name for (name,) in found}


def test_they_are_built_in_a_schema_that_is_dropped_or_stays(
    filled: Path, server: tuple[str, dict[str, str]], postgresql: str, postgresql_schema: str
) -> None:
    url, password = server
    before = schemas(postgresql)
    as_of = ("--as-of", steps(filled)[2]["token"], "--database", url)
    typed = "SELECT balance, pg_typeof(balance)::text AS type FROM account_balances WHERE account = 'l1:ada'"
    said = query(filled, *as_of, "--sql", typed, "--json", **password)
    assert said.json == [{"balance": 5, "type": "bigint"}], said.err
    assert schemas(postgresql) == before
    on_sqlite = query(filled, *as_of[:2], "--json").json
    for row in on_sqlite["account_balances"]:
        row["closed"] = bool(row["closed"])  # which SQLite does not have
    assert query(filled, *as_of, "--schema", postgresql_schema, "--json", **password).json == on_sqlite
    assert schemas(postgresql) - before == {postgresql_schema}
    again = query(filled, *as_of, "--schema", postgresql_schema, **password)
    assert (again.code, again.out) == (ExitCode.CONFIGURATION, "")
    assert "is there already" in again.err


@pytest.mark.parametrize("shape", ["table", "csv", "ndjson", "json"])
def test_times_are_printed_as_sqlite_keeps_them_whatever_the_zone_of_the_session_is(
    filled: Path, server: tuple[str, dict[str, str]], shape: str
) -> None:
    url, password = server
    as_of = ("--as-of", steps(filled)[2]["token"], "--database", url, "--format", shape)
    said = query(
        filled, *as_of, "--sql", "SELECT timestamptz '2026-03-01T12:00:00+01:00' AS at", PGTZ="Asia/Tokyo", **password
    )
    assert "2026-03-01T11:00:00.000000Z" in said.out, said


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM account_balances",
        "WITH d AS (DELETE FROM account_balances RETURNING *) SELECT * FROM d",
        "SELECT 1; COMMIT; CREATE TABLE public.made (n int)",
        "CREATE TABLE public.made (n int)",
        "SELECT nothing",
    ],
)
def test_postgresql_too_is_asked_one_select(
    sql: str, filled: Path, server: tuple[str, dict[str, str]], postgresql: str
) -> None:
    url, password = server
    before = schemas(postgresql)
    said = query(filled, "--as-of", steps(filled)[2]["token"], "--database", url, "--sql", sql, **password)
    assert (said.code, said.out) == (ExitCode.USAGE, ""), said.err
    assert "PostgreSQL does not run this as a SELECT" in said.err
    assert schemas(postgresql) == before
    with psycopg.connect(postgresql) as connection:
        assert connection.execute("SELECT to_regclass('public.made')").fetchone() == (None,)


def test_a_password_on_the_command_line_is_refused(filled: Path) -> None:
    url = "postgresql://reader:s3cret@127.0.0.1:1/none"
    said = query(filled, "--as-of", "2026-03-01T00:00:00Z", "--database", url)
    assert said.code == ExitCode.CONFIGURATION
    assert "PGPASSFILE" in said.err and "s3cret" not in said.err


# -- on Kafka ----------------------------------------------------------------------------------------------------------
def test_a_journal_on_kafka_is_read_beside_its_roles(tmp_path: Path, kafka: str, journal_name: str) -> None:
    place = Place(tmp_path, kafka, journal_name).init()
    load = Load(place)
    total = "SELECT sum(balance) AS total FROM ledger_balances"
    with place.serving("executor", "--ordinal", "0") as executor, place.serving("projector") as projector:
        executor.serves(*range(SHARDS))
        projector.ready()
        load.deposit(40)
        eventually(lambda: load.is_executed_once(place), "not all is executed")
        eventually(lambda: query(tmp_path, "--sql", total, "--json").json == [{"total": 40}], "not all is projected")
        frames = [record.frame for shard in range(SHARDS) for record in place.records(shard) if record.frame]
        deposits = [(f.time, sum(e.command == "deposit" for e in entries(f))) for f in frames]
        times = sorted(time for time, _ in deposits)
        for time in (times[0], times[len(times) // 2], times[-1]):
            expected = sum(number for recorded, number in deposits if recorded <= time)
            said = query(tmp_path, "--as-of", instant(time), "--sql", total, "--json")
            assert (said.json[0]["total"] or 0) == expected, said.err

"""The command line on a journal: real processes, beside a server and without one."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from domain.banking.account import account
from domain.banking.messages import Deposit
from shardlog.adapters.sqlite.control import read_meta
from shardlog.adapters.sqlite.journal import SqliteJournal
from shardlog.cli.exit_codes import ExitCode
from shardlog.sharding import shard_of
from tests.services.command_line import SETTINGS, fill, open_engine, running, shardlog

SHARD = shard_of("l1", 2)
"""Where ada is."""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that banking has filled; tests only read it."""
    folder = tmp_path_factory.mktemp("filled")
    fill(folder)
    return folder


@pytest.fixture
def folder(filled: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return shutil.copytree(filled, tmp_path / "copy")


def append(folder: Path, value: bytes) -> None:
    """A record that somebody appends to ada's shard, whatever it is."""
    journal = SqliteJournal(folder / "journal", 2)
    reports: list[object] = []
    writer = journal.writer(SHARD)
    writer.append(value, reports.append)
    while not reports:
        pass
    journal.close()
    assert isinstance(reports[0], int)


def damage(folder: Path, offset: int) -> None:
    """One byte of a record is another now, as a bad disk makes it."""
    with sqlite3.connect(folder / "journal" / f"shard-{SHARD:04d}.sqlite") as connection:
        (value,) = connection.execute("SELECT value FROM record WHERE offset = ?", (offset,)).fetchone()
        other = bytes(value).replace(b"ada", b"adb", 1)
        assert other != value
        connection.execute("UPDATE record SET value = ? WHERE offset = ?", (other, offset))
    connection.close()


# -- settings ----------------------------------------------------------------------------------------------------------
def test_config_shows_where_each_value_comes_from(filled: Path) -> None:
    shown = shardlog(filled, "config", "--json", SHARDLOG_EXECUTOR_QUEUE_COMMANDS_MAX="77").json
    found = {f"{s['section']}.{s['name']}": (s["value"], s["origin"], s["unit"]) for s in shown}
    assert found["executor.queue_commands_max"] == (77, "environment", "commands")
    assert found["executor.frame_commands_max"] == (3, "file", "commands")
    assert found["executor.dedupe_window_ms"] == (60_000, "default", "ms")
    assert found["journal.directory"][0] == str(filled / "journal")


def test_a_wrong_setting_ends_every_command_that_needs_settings(folder: Path) -> None:
    (folder / "shardlog.toml").write_text("[journal]\nshards = -1\n")
    for command in (["config"], ["status"], ["inspect"], ["verify"], ["stream", "account/l1:ada"], ["snapshot"]):
        said = shardlog(folder, *command)
        assert (said.code, said.out) == (ExitCode.CONFIGURATION, "")
        assert said.err == "shardlog: shardlog.toml, [journal] shards is -1, and must be an integer, 1 to 10_000\n"


def test_config_checks_the_application_too(folder: Path) -> None:
    assert shardlog(folder, "config", "--check").code == ExitCode.OK
    settings = folder / "shardlog.toml"
    settings.write_text(settings.read_text().replace(":banking", ":bonking"))
    said = shardlog(folder, "config", "--check")
    assert said.code == ExitCode.CONFIGURATION
    assert "did you mean 'banking'" in said.err


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("SHARDLOG_JOURNAL_SHARDS", "3", "the journal's number of shards: 2 there, 3 at hand"),
        ("SHARDLOG_GATEWAY_HOST", "0.0.0.0", "host '0.0.0.0' can be reached from elsewhere"),
    ],
)
def test_config_checks_the_journal_that_is_there_and_who_may_connect(
    name: str, value: str, message: str, filled: Path
) -> None:
    said = shardlog(filled, "config", "--check", **{name: value})
    assert (said.code, said.out) == (ExitCode.CONFIGURATION, "")
    assert message in said.err
    assert shardlog(filled, "config", **{name: value}).code == ExitCode.OK


def test_config_lets_others_connect_where_that_is_said(filled: Path) -> None:
    remote = {"SHARDLOG_GATEWAY_HOST": "0.0.0.0", "SHARDLOG_GATEWAY_ALLOW_REMOTE": "true"}
    assert shardlog(filled, "config", "--check", **remote).code == ExitCode.OK


def test_config_makes_no_journal_where_it_checks(tmp_path: Path) -> None:
    (tmp_path / "shardlog.toml").write_text(SETTINGS)
    assert shardlog(tmp_path, "config", "--check").code == ExitCode.OK
    assert not (tmp_path / "journal").exists()


def test_a_limit_of_the_file_is_obeyed_by_a_running_engine(folder: Path) -> None:
    frames = [record for record in shardlog(folder, "inspect", "--json").lines if record["kind"] == "frame"]
    assert max(len(frame["entries"]) for frame in frames) == 3


# -- inspect -----------------------------------------------------------------------------------------------------------
def test_inspect_shows_claims_frames_commands_and_events(filled: Path) -> None:
    records = shardlog(filled, "inspect", str(SHARD), "--json").lines
    assert [record["offset"] for record in records] == list(range(len(records)))
    assert records[0]["kind"] == "claim"
    assert records[0]["owner"].startswith("embedded-")
    entries = [e for record in records[1:] for e in record["entries"] if e.get("id") == "l1:ada"]
    assert [entry["command_id"] for entry in entries] == ["a1", "a2", "a3", "a4"]
    assert entries[1]["events"] == [
        {"type": "account/deposited/1", "id": "l1:ada", "version": 2, "data": {"amount": 2}}
    ]


def test_inspect_shows_refusals_and_a_part_of_the_shard(filled: Path) -> None:
    said = shardlog(filled, "inspect", str(shard_of("l2", 2)))
    assert "account/l2:bob withdraw b2: insufficient_funds" in said.out
    (record,) = shardlog(filled, "inspect", str(SHARD), "--from", "2", "--limit", "1", "--json").lines
    assert record["offset"] == 2


def test_inspect_names_what_does_not_count_and_why(folder: Path) -> None:
    (claim, *_) = SqliteJournal(folder / "journal", 2).read(SHARD, 0)
    append(folder, claim[1])
    append(folder, b"hello")
    one, two = shardlog(folder, "inspect", str(SHARD), "--invalid", "--json").lines
    assert (one["reason"], two["reason"]) == ("epoch", "foreign")
    said = shardlog(folder, "inspect", "--invalid").out
    assert "invalid (epoch), " in said
    assert "it is of epoch 1, and epoch 1 holds" in said
    assert "2 invalid" in said


def test_inspect_ends_at_a_damaged_record_and_names_it(folder: Path) -> None:
    damage(folder, 2)
    said = shardlog(folder, "inspect", str(SHARD), "--json")
    assert said.code == ExitCode.DAMAGED
    assert [record["offset"] for record in said.lines] == [0, 1]
    assert f"shard {SHARD}, offset 2: the value and its checksum disagree" in said.err


def test_inspect_names_a_shard_that_is_none(filled: Path) -> None:
    said = shardlog(filled, "inspect", "2")
    assert said.code == ExitCode.USAGE
    assert "there is no shard 2: there are 2, numbered from 0" in said.err


def test_where_no_journal_is_none_is_made(tmp_path: Path) -> None:
    for command in ("status", "inspect", "snapshot"):
        (tmp_path / "shardlog.toml").write_text('[journal]\ndirectory = "nowhere"\n')
        assert shardlog(tmp_path, command).code == ExitCode.CONFIGURATION
    assert not (tmp_path / "nowhere").exists()


def test_a_shard_s_file_that_is_missing_is_named_and_not_made(folder: Path) -> None:
    for file in (folder / "journal").glob("shard-0001.sqlite*"):
        file.unlink()
    said = shardlog(folder, "status")
    assert said.code == ExitCode.DAMAGED
    assert "shard-0001.sqlite is missing" in said.err
    assert not (folder / "journal" / "shard-0001.sqlite").exists()


# -- stream ------------------------------------------------------------------------------------------------------------
def test_stream_shows_the_state_after_each_event(filled: Path) -> None:
    steps = shardlog(filled, "stream", "account/l1:ada", "--json").lines
    assert [(s["version"], s["type"], s["state"]["balance"]) for s in steps] == [
        (1, "account/opened/1", 0),
        (2, "account/deposited/1", 2),
        (3, "account/deposited/1", 5),
        (4, "account/deposited/1", 9),
    ]
    assert (steps[1]["command_id"], steps[1]["actor"]) == ("a2", "teller")


def test_stream_ends_at_a_version_a_time_or_a_token(filled: Path) -> None:
    steps = shardlog(filled, "stream", "account/l1:ada", "--json").lines
    before_the_third = datetime.fromisoformat(steps[2]["time"]) - timedelta(microseconds=1)
    for at in ("2", steps[1]["token"], steps[1]["time"], before_the_third.isoformat()):
        assert shardlog(filled, "stream", "account/l1:ada", "--json", "--at", at).lines == steps[:2]


def test_stream_says_where_a_stream_stands_that_does_not_reach_the_version(filled: Path) -> None:
    assert shardlog(filled, "stream", "account/l1:ada", "--at", "4").code == ExitCode.OK
    said = shardlog(filled, "stream", "account/l1:ada", "--json", "--at", "99")
    assert said.code == ExitCode.USAGE
    assert len(said.lines) == 4
    assert said.err == "shardlog: account/l1:ada stands at version 4, and has no version 99\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["account/l1:nobody"], "account/l1:nobody has no events"),
        (["acount/l1:ada"], "there is no category 'acount'; did you mean 'account'?"),
        (["account"], "'account' is no stream: write CATEGORY/ID"),
        (["account/l1/ada"], "'l1/ada' is no id"),
        (["account", "l1:nobody"], "account/l1:nobody has no events"),
        (["account", "l1:ada", "deposit"], "unexpected extra argument (deposit)"),
        (["account/l1:ada", "--at", "yesterday"], "'yesterday' is neither a version (17), nor a recorded time"),
        (["account/l1:ada", "--at", "2026-03-01T12:00:00"], "has no time zone: write 2026-03-01T12:00:00Z"),
        (["account/l1:ada", "--at", "0-0.9.0.0"], "is a place in shard 9 of journal 0-0"),
        (["account/l1:ada", "--at", "1", "--follow"], "take one of them"),
    ],
)
def test_stream_says_what_it_cannot_show(arguments: list[str], said: str, filled: Path) -> None:
    found = shardlog(filled, "stream", *arguments)
    assert found.code == ExitCode.USAGE
    assert said in " ".join(found.err.split())


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, ExitCode.INTERRUPTED), (signal.SIGTERM, ExitCode.TERMINATED)]
)
def test_stream_follows_a_running_server_until_it_is_told_to_end(
    number: signal.Signals, code: ExitCode, folder: Path
) -> None:
    with running(folder, "stream", "account/l1:ada", "--follow", "--json") as process:
        assert process.stdout is not None
        assert [json.loads(process.stdout.readline())["version"] for _ in range(4)] == [1, 2, 3, 4]
        with open_engine(folder) as engine:
            engine.send(account.stream("l1:ada"), Deposit(amount=100))
            step = json.loads(process.stdout.readline())
        assert (step["version"], step["state"]["balance"]) == (5, 109)
        process.send_signal(number)
        assert process.wait(30) == code
        assert process.stderr is not None
        assert process.stderr.read() == ""


# -- status ------------------------------------------------------------------------------------------------------------
def test_status_without_a_server(filled: Path) -> None:
    found = shardlog(filled, "status", "--json").json
    assert found["journal"] == read_meta(filled / "journal").journal
    assert found["served_by"] is None
    records = found["shards"][SHARD]["records"]
    assert (records["epoch"], records["claims"], records["invalid"]) == (1, 1, {})
    assert found["shards"][SHARD]["next"] == records["claims"] + records["frames"]
    (projection,) = found["projections"]
    assert projection["name"] == "balances"
    assert projection["lag"] == {"0": 0, "1": 0}


def test_status_beside_a_server_names_its_process(folder: Path) -> None:
    with running(folder, "dev", "--port", "0") as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["pid"] == process.pid
        said = shardlog(folder, "status", "--json")
        assert (said.code, said.json["served_by"]) == (ExitCode.OK, process.pid)
        assert said.json["shards"][0]["records"]["epoch"] == 2
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == ExitCode.OK
    assert shardlog(folder, "status", "--json").json["served_by"] is None


def test_status_tells_the_shards_where_the_application_is_gone(folder: Path) -> None:
    settings = folder / "shardlog.toml"
    settings.write_text(settings.read_text().replace("domain.banking", "domain.gone"))
    said = shardlog(folder, "status")
    assert said.code == ExitCode.OK
    assert "no projections are shown" in said.err
    assert "embedded-" in said.out


def test_status_leaves_the_records_unread_on_demand(folder: Path) -> None:
    damage(folder, 2)
    assert shardlog(folder, "status", "--no-records", "--json").json["shards"][SHARD]["records"] is None
    said = shardlog(folder, "status")
    assert said.code == ExitCode.DAMAGED
    assert f"shard {SHARD} is not readable further: shard {SHARD}, offset 2" in said.out


# -- rebuild and snapshot ----------------------------------------------------------------------------------------------
def rows(folder: Path) -> list[tuple[object, ...]]:
    with sqlite3.connect(folder / "journal" / "projections.sqlite") as connection:
        found = connection.execute("SELECT * FROM account_balances ORDER BY account").fetchall()
    connection.close()
    return found


def test_rebuild_makes_the_same_rows_again(folder: Path) -> None:
    before = rows(folder)
    with sqlite3.connect(folder / "journal" / "projections.sqlite") as connection:
        connection.execute("UPDATE account_balances_v1 SET balance = 1")
    connection.close()
    assert rows(folder) != before
    said = shardlog(folder, "rebuild", "balances", "--json")
    assert said.code == ExitCode.OK
    assert said.json["handled"] == 6
    assert rows(folder) == before


def test_rebuild_names_a_projection_that_is_none(filled: Path) -> None:
    said = shardlog(filled, "rebuild", "balance")
    assert said.code == ExitCode.USAGE
    assert "there is no projection 'balance'; did you mean 'balances'?" in " ".join(said.err.split())


@pytest.fixture
def served(folder: Path) -> Iterator[Path]:
    """A folder while this process serves it."""
    with open_engine(folder):
        yield folder


@pytest.mark.parametrize(("command", "step"), [(["rebuild", "balances"], "rebuild"), (["snapshot"], "end it first")])
def test_what_needs_the_journal_for_itself_is_refused_beside_a_server(
    command: list[str], step: str, served: Path
) -> None:
    said = shardlog(served, *command)
    assert said.code == ExitCode.TRY_LATER
    assert "serves this journal" in said.err
    assert step in said.err


def test_a_snapshot_is_where_a_recovery_begins(folder: Path) -> None:
    assert shardlog(folder, "snapshot").code == ExitCode.OK
    taken = shardlog(folder, "status", "--json").json["snapshots"]
    assert [snapshot["shard"] for snapshot in taken] == [0, 1]
    with open_engine(folder) as engine:
        assert engine.read(account.stream("l1:ada")).version == 4


# -- a journal whose beginning is cut off ------------------------------------------------------------------------------
def test_what_is_left_of_a_journal_is_read_from_a_snapshot_on(folder: Path) -> None:
    assert shardlog(folder, "snapshot").code == ExitCode.OK
    with open_engine(folder) as engine:
        engine.send(account.stream("l1:ada"), Deposit(amount=100))
    (snapshot,) = [s for s in shardlog(folder, "status", "--json").json["snapshots"] if s["shard"] == SHARD]
    journal = SqliteJournal(folder / "journal", 2)
    journal.truncate(SHARD, snapshot["next"])
    journal.close()
    said = shardlog(folder, "stream", "account/l1:ada", "--json")
    assert [(step["version"], step["state"]["balance"]) for step in said.lines] == [(5, 109)]
    assert "is shown from version 5 on" in said.err
    status = shardlog(folder, "status", "--json")
    assert (status.code, status.json["shards"][SHARD]["records"]["stopped"]) == (ExitCode.OK, "")
    assert shardlog(folder, "inspect", str(SHARD), "--json").lines[0]["offset"] == snapshot["next"]
    assert shardlog(folder, "verify").code == ExitCode.OK

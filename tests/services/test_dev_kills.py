"""kill -9 of `shardlog dev` under load over HTTP: what clients were told is what the journal holds."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.services.dev_kills import Survived, at_rest, rebuilt_rows, recovery_line, rows, survive
from tests.services.dev_process import DevProcess
from tests.services.http_history import check, check_money
from tests.services.processes import ROOT, Left

KILLS = 20


@pytest.fixture(scope="module")
def survived(tmp_path_factory: pytest.TempPathFactory) -> Survived:
    return survive(tmp_path_factory.mktemp("kills") / "bank", KILLS, seed=7)


@pytest.fixture(scope="module")
def left(survived: Survived) -> list[Left]:
    return at_rest(survived.directory)


def test_every_answer_stands_in_the_journal_once_where_it_was_told(survived: Survived, left: list[Left]) -> None:
    print(recovery_line(survived.recoveries_s))
    counted = check(survived.operations, left)
    assert counted.accepted > 300
    assert counted.refused > 50
    assert counted.repeats > 20
    assert counted.unanswered > 0


def test_money_is_neither_made_nor_lost(left: list[Left]) -> None:
    assert check_money(left) > 0


def test_the_tables_kept_over_the_kills_equal_a_rebuild(survived: Survived, left: list[Left]) -> None:
    kept = rows(survived.directory)
    assert all(kept.values())
    assert rebuilt_rows(survived.directory) == kept


def test_the_last_process_drained(survived: Survived) -> None:
    assert survived.exit_code == 0


# -- the process itself ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_a_batch_finish_what_it_took(tmp_path: Path, number: signal.Signals) -> None:
    process = DevProcess(tmp_path / "bank")
    process.wait_until_it_serves()
    connection = HTTPConnection("127.0.0.1", process.port, timeout=30)
    connection.putrequest("POST", "/v1/commands")
    connection.putheader("content-type", "application/x-ndjson")
    connection.putheader("transfer-encoding", "chunked")
    connection.endheaders()
    line = b'{"category":"account","id":"a:1","command":"open","payload":{"owner":"ann"}}\n'
    connection.send(b"%x\r\n%s\r\n" % (len(line), line))
    response = connection.getresponse()
    assert json.loads(response.readline())["status"] == 200
    process.popen.send_signal(number)
    last = json.loads(response.readline())
    assert (last["line"], last["code"]) == (2, "unavailable")
    assert response.readline() == b""
    connection.close()
    assert process.popen.wait(30) == 0
    assert "everything that was taken is finished" in process.errors()
    process.kill()


def test_a_second_signal_ends_the_process_at_once(tmp_path: Path) -> None:
    process = DevProcess(tmp_path / "bank")
    process.wait_until_it_serves()
    connection = HTTPConnection("127.0.0.1", process.port, timeout=30)
    connection.putrequest("POST", "/v1/streams/account/a:1/open")
    connection.putheader("content-type", "application/json")
    connection.putheader("content-length", "16")
    connection.endheaders()  # a request whose body never comes keeps the first signal waiting
    ready = HTTPConnection("127.0.0.1", process.port, timeout=30)
    ready.request("GET", "/health/ready")
    assert ready.getresponse().status == 200
    process.popen.send_signal(signal.SIGTERM)
    while _is_listening(process.port):
        pass
    process.popen.send_signal(signal.SIGTERM)
    assert process.popen.wait(30) == -signal.SIGTERM
    connection.close()
    ready.close()
    process.kill()


def _is_listening(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_directory_that_another_process_serves_is_a_clear_error(tmp_path: Path) -> None:
    process = DevProcess(tmp_path / "bank")
    process.wait_until_it_serves()
    settings = str(tmp_path / "bank.toml")
    command = [sys.executable, "-m", "shardlog.cli.main", "dev", "--settings", settings, "--port", "0"]
    second = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)
    assert second.returncode == 75
    assert f"process {process.popen.pid} serves this journal" in second.stderr
    assert process.end() == 0


@pytest.mark.parametrize(
    ("options", "says"), [(["--host", "0.0.0.0"], "--allow-remote"), (["--host", "no.such.host.invalid"], "reached")]
)
def test_hosts_that_others_can_reach_are_refused(tmp_path: Path, options: list[str], says: str) -> None:
    process = DevProcess(tmp_path / "bank")
    process.kill()
    command = [sys.executable, "-m", "shardlog.cli.main", "dev", "--settings", str(tmp_path / "bank.toml"), *options]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)
    assert done.returncode == 78
    assert says in done.stderr

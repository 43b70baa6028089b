"""The demo over Kafka: proven at the end, loud where a process of it dies, and nothing of it left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from shardlog.testing.services.kafka.found import ADDRESS_VARIABLE

RUN_SECONDS_MAX = 500.0
LOOK_SECONDS = 0.05
ROLES = ("executor-0", "executor-1", "relay", "projector")


def start(directory: Path, kafka: str, *options: str, **more: str) -> subprocess.Popen[str]:
    """The short form of the demo, at the brokers of this run."""
    return subprocess.Popen(
        [sys.executable, "-m", "demo.kafka", "--months", "1", *options],
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "COLUMNS": "200", ADDRESS_VARIABLE: kafka, **more},
    )


def wait_until(holds: Callable[[], bool], what: str, within_s: float = RUN_SECONDS_MAX) -> None:
    give_up = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < give_up, what
        time.sleep(LOOK_SECONDS)


def pid_of(directory: Path, role: str) -> int | None:
    """The process that said that it serves; None where none did."""
    log = directory / "var" / "demo-kafka" / f"{role}.log"
    for line in log.read_text().splitlines() if log.exists() else ():
        if line.startswith('{"role"') and line.endswith("}"):
            return int(json.loads(line)["pid"])
    return None


def runs(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def topics_left(kafka: str) -> list[str]:
    client = AdminClient({"bootstrap.servers": kafka})
    return [topic for topic in client.list_topics(timeout=30).topics if topic.startswith("flights-")]


@pytest.mark.timeout(600)
def test_a_month_over_kafka_into_postgresql_is_proven_and_leaves_neither_processes_nor_topics(
    tmp_path: Path, kafka: str, postgresql: str
) -> None:
    process = start(tmp_path, kafka, "--postgresql", SHARDLOG_POSTGRESQL=postgresql)
    output, _ = process.communicate(timeout=RUN_SECONDS_MAX)
    assert process.returncode == 0, output
    assert output.count("proven ") == 5, output
    assert "differs" not in output
    pids = [pid_of(tmp_path, role) for role in ROLES]
    assert None not in pids
    assert not any(runs(pid) for pid in pids if pid is not None)
    assert topics_left(kafka) == []


@pytest.mark.timeout(600)
@pytest.mark.parametrize("role", ["executor-1", "relay"])
def test_a_role_that_dies_fails_the_demo_by_its_name_and_ends_the_others(tmp_path: Path, kafka: str, role: str) -> None:
    process = start(tmp_path, kafka)
    try:
        wait_until(lambda: all(pid_of(tmp_path, one) for one in ROLES), "the roles did not serve")
        pids = {one: pid_of(tmp_path, one) or 0 for one in ROLES}
        os.kill(pids[role], signal.SIGKILL)
        output, _ = process.communicate(timeout=RUN_SECONDS_MAX)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 1, output
    assert f"ServiceFailed: {role} has ended" in output
    assert not any(runs(pid) for pid in pids.values())
    assert topics_left(kafka) == []


@pytest.mark.timeout(600)
def test_the_roles_of_a_demo_that_is_killed_end_by_themselves(tmp_path: Path, kafka: str) -> None:
    process = start(tmp_path, kafka)
    try:
        wait_until(lambda: all(pid_of(tmp_path, one) for one in ROLES), "the roles did not serve")
    finally:
        process.kill()
        process.communicate()
    pids = [pid_of(tmp_path, one) or 0 for one in ROLES]
    wait_until(lambda: not any(runs(pid) for pid in pids), "a role outlived the demo", within_s=60)
    client = AdminClient({"bootstrap.servers": kafka})
    for future in client.delete_topics(topics_left(kafka)).values():
        future.result(30)

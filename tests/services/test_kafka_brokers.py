"""Brokers for tests come up, can be treated badly, and leave nothing behind."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from shardlog.errors import ConfigurationError
from shardlog.testing.services.errors import ServiceFailed, ServiceMissing
from shardlog.testing.services.kafka import BrokerOptions, KafkaCluster
from shardlog.testing.services.kafka.found import found_kafka
from shardlog.testing.services.kafka.jars import jars, java
from tests.services.processes import ROOT


def made_topic(address: str, name: str) -> None:
    """A topic of one partition."""
    admin = AdminClient({"bootstrap.servers": address})
    admin.create_topics([NewTopic(name, 1, 1)])[name].result(30)


def appended(address: str, topic: str, value: bytes) -> None:
    """Append it, whatever time the broker takes."""
    producer = Producer({"bootstrap.servers": address, "acks": "all"})
    errors: list[object] = []
    producer.produce(topic, value, partition=0, on_delivery=lambda error, _: errors.append(error))
    assert producer.flush(60) == 0
    assert errors == [None]


def test_a_broker_that_was_killed_or_paused_goes_on_with_its_data(
    start_kafka: Callable[..., KafkaCluster], journal_name: str
) -> None:
    cluster = start_kafka(session_timeout_ms=2_000)
    (broker,) = cluster.brokers
    made_topic(cluster.bootstrap, journal_name)
    appended(cluster.bootstrap, journal_name, b"before")
    broker.kill()
    assert not broker.is_running
    broker.start()
    broker.wait_until_ready()
    appended(cluster.bootstrap, journal_name, b"after the kill")
    broker.pause()
    assert broker.is_running
    broker.resume()
    appended(cluster.bootstrap, journal_name, b"after the pause")
    with pytest.raises(ServiceFailed, match="runs already"):
        broker.start()
    broker.stop()
    assert not broker.is_running
    assert "Kafka Server started" in broker.log_tail()
    folder = cluster.directory
    cluster.stop()
    assert not folder.exists()


def test_a_broker_that_cannot_start_says_why_with_the_end_of_its_log() -> None:
    options = BrokerOptions(properties={"log.retention.ms": "a while"})
    cluster = KafkaCluster(options)
    with pytest.raises(ServiceFailed, match=r"a while"), cluster:
        pass
    assert not cluster.directory.exists()


def test_brokers_do_not_outlive_the_process_that_started_them_even_if_it_is_killed(tmp_path: Path) -> None:
    code = (
        "from shardlog.testing.services.kafka import KafkaCluster\n"
        f"cluster = KafkaCluster(directory=__import__('pathlib').Path({str(tmp_path / 'kafka')!r}))\n"
        "cluster.start()\nprint(cluster.brokers[0].pid, flush=True)\ninput()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as starter:
        assert starter.stdout is not None
        pid = int(starter.stdout.readline())
        watch = os.pidfd_open(pid)
        starter.kill()

    poll = select.poll()
    poll.register(watch, select.POLLIN)
    assert poll.poll(30_000), f"broker {pid} outlived its starter by 30 s"
    os.close(watch)


def test_an_address_in_the_environment_comes_first() -> None:
    with found_kafka(environment={"SHARDLOG_KAFKA": "one:9092,two:9093"}) as address:
        assert address == "one:9092,two:9093"
    with pytest.raises(ConfigurationError, match=r"SHARDLOG_KAFKA is 'one', and must be host:port"):
        found_kafka(environment={"SHARDLOG_KAFKA": "one"}).__enter__()


def test_without_java_or_maven_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("SHARDLOG_CACHE", str(tmp_path / "cache"))
    with pytest.raises(ServiceMissing, match=r"apt-get install openjdk-17-jre-headless.*SHARDLOG_KAFKA"):
        java()
    with pytest.raises(ServiceMissing, match=r"apt-get install maven.*SHARDLOG_KAFKA"):
        jars()


@pytest.mark.parametrize(("ci", "outcome"), [("", "1 skipped"), ("true", "1 error")])
def test_tests_of_a_missing_broker_are_skipped_for_a_person_and_fail_under_ci(
    tmp_path: Path, ci: str, outcome: str
) -> None:
    (tmp_path / "test_it.py").write_text("def test_it(kafka):\n    pass\n")
    (tmp_path / "conftest.py").write_text("pytest_plugins = ('tests.kafka_fixtures',)\n")
    environment = {"PATH": str(tmp_path), "CI": ci, "PYTHONPATH": str(ROOT), "SHARDLOG_CACHE": str(tmp_path)}
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-rs", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome in run.stdout, run.stdout + run.stderr
    assert "apt-get install" in run.stdout


def test_brokers_that_were_put_up_are_taken_down(tmp_path: Path) -> None:
    folder = tmp_path / "kafka"
    command = [sys.executable, "-m", "shardlog.testing.services.kafka"]
    up = subprocess.run([*command, "up", "--directory", str(folder)], capture_output=True, text=True, check=False)
    assert up.returncode == 0, up.stderr
    try:
        made_topic(up.stdout.strip(), "any")
    finally:
        down = subprocess.run(
            [*command, "down", "--directory", str(folder)], capture_output=True, text=True, check=False
        )
    assert "1 broker(s) ended" in down.stdout
    assert not folder.exists()

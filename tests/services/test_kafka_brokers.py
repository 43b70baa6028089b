"""Brokers for tests come up, can be treated badly, and leave nothing behind."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from shardlog.errors import ConfigurationError
from shardlog.testing.services.errors import ServiceFailed, ServiceMissing
from shardlog.testing.services.kafka import BrokerOptions, KafkaCluster
from shardlog.testing.services.kafka.found import found_kafka
from shardlog.testing.services.kafka.jars import jars, java
from shardlog.testing.services.ports import is_free
from shardlog.testing.services.processes import is_process_of
from tests.services.kafka_served import wait_until
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


def make(target: str, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """What `make kafka-up` and `make kafka-down` run."""
    command = [sys.executable, "-m", "shardlog.testing.services.kafka", target, "--directory", str(folder), *more]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def put_up(folder: Path) -> tuple[str, int]:
    """The address that it says, and the broker's process."""
    up = make("up", folder)
    assert up.returncode == 0, up.stderr
    kept = json.loads((folder / "brokers.json").read_text())
    assert f'bootstrap_servers = "{kept["bootstrap"]}"' in up.stdout
    assert f"SHARDLOG_KAFKA_BOOTSTRAP_SERVERS={kept['bootstrap']}\n" in up.stdout
    return kept["bootstrap"], kept["pids"][0]


def test_brokers_that_were_put_up_keep_address_and_data_over_a_crash_and_are_taken_down(tmp_path: Path) -> None:
    folder = tmp_path / "kafka"
    try:
        address, first = put_up(folder)
        made_topic(address, "any")
        appended(address, "any", b"before")
        assert f"running already, with the data of {folder}" in make("up", folder).stdout
        assert put_up(folder) == (address, first)
        more = make("up", folder, "--brokers", "3")
        assert more.returncode == 1
        assert "holds the data of 1 broker(s), and 3 are wanted" in more.stderr

        host, _, port = address.partition(":")
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: is_free(int(port)), "the broker does not end")
        with socket.create_server((host, int(port))):
            refused = make("up", folder)
        assert refused.returncode == 1
        assert f"its port {port} is taken by another process" in refused.stderr

        again = make("up", folder)
        assert f"Kafka at {address}: started again with the data of {folder}" in again.stdout, again.stderr
        consumer = Consumer({"bootstrap.servers": address, "group.id": "any", "auto.offset.reset": "earliest"})
        consumer.assign([TopicPartition("any", 0, 0)])
        (message,) = consumer.consume(1, 60)
        assert message.value() == b"before"
        consumer.close()
    finally:
        down = make("down", folder)
    assert "1 broker(s) ended" in down.stdout
    assert not folder.exists()
    assert "there is nothing to end" in make("down", folder).stdout


def test_brokers_of_which_it_is_not_known_where_they_stand_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "brokers.json").write_text('{"bootstrap": "127.0.0.1:1", "pids": [1]}')
    for target in ("up", "down"):
        refused = make(target, tmp_path)
        assert refused.returncode == 1
        assert "does not say which brokers stand there" in refused.stderr
    assert (tmp_path / "brokers.json").exists()


def test_a_process_of_another_folder_is_not_taken_for_a_broker_that_ended(tmp_path: Path) -> None:
    assert is_process_of(os.getpid(), "python", Path.cwd())
    assert not is_process_of(os.getpid(), "python", tmp_path)
    assert not is_process_of(os.getpid(), "kafka.Kafka", Path.cwd())

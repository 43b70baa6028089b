"""An executor process whose brokers refuse it, or are gone: it goes on by itself, and it ends when it is told to."""

from __future__ import annotations

import shutil
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition

from shardlog.errors import JournalError
from shardlog.executor import runner
from shardlog.testing.services.kafka import KafkaCluster
from shardlog.testing.services.kafka.certificates import AUTHORITY_NAME, BROKER_NAME, write_certificates
from shardlog.wiring.kafka.executor import ExecutorProcess
from shardlog.wiring.loading import load_application
from tests.services.kafka_roles import WITHIN_SECONDS, Load, Place, Role, eventually

UNFINISHED, CONFIGURATION = 74, 78
SHARDS = 2
ENDS_WITHIN_SECONDS = 12.0
"""The drain's deadline of these tests, two seconds, and what an end takes beside it on a loaded machine."""
SECURED = """
security_protocol = "SASL_SSL"
sasl_mechanism = "SCRAM-SHA-256"
sasl_user = "{user}"
ca_path = "{ca}"
"""
PATIENT = "[recovery]\ndrain_deadline_ms = 2_000"


def secured_place(folder: Path, cluster: KafkaCluster, journal: str) -> Place:
    """Over the secured listener, with a certificate of the authority of its own, as a client has it."""
    ca = folder / AUTHORITY_NAME
    shutil.copy(cluster.authority_path, ca)
    kafka = SECURED.format(user=cluster.user, ca=ca) + f'sasl_password = "{cluster.password}"'
    return Place(folder, cluster.secured_bootstrap, journal, shards=SHARDS, kafka=kafka)


def test_a_certificate_that_was_wrong_for_a_while_stops_no_shard_that_served_and_refuses_a_start(
    start_kafka: Callable[..., KafkaCluster], journal_name: str, tmp_path: Path
) -> None:
    cluster = start_kafka(is_secured=True)
    (broker,) = cluster.brokers
    place = secured_place(tmp_path, cluster, journal_name).init()
    plain = tmp_path / "plain"
    plain.mkdir()
    seen = Place(plain, cluster.bootstrap, journal_name, shards=SHARDS)
    right = tmp_path / "right.pem"
    shutil.copy(cluster.directory / BROKER_NAME, right)
    load = Load(seen, [f"l{number}" for number in range(4)])
    with place.serving("executor", "--ordinal", "0") as executor:
        executor.serves(0, 1)
        load.deposit(20)
        eventually(lambda: load.is_executed_once(seen, range(SHARDS)), "not all is executed")
        broker.kill()
        write_certificates(cluster.directory)  # by an authority that nobody here knows
        broker.start()
        broker.wait_until_ready()
        load.deposit(20)
        executor.logs("TLS failed: check security_protocol, ca_path")
        assert executor.lines[-1]["failed"] == []
        refused = place.run("serve", "executor", "--ordinal", "1")
        assert refused.code == CONFIGURATION, refused.err
        assert "ca_path" in refused.err
        broker.kill()
        shutil.copy(right, cluster.directory / BROKER_NAME)
        broker.start()
        broker.wait_until_ready()
        executor.serves(0, 1)
        eventually(lambda: load.is_executed_once(seen, range(SHARDS)), "not all is executed")
        for topic in (place.settings.kafka.commands_topic, place.settings.kafka.sends_topic):
            said = [line for line in executor.log.splitlines() if f"input kafka:{topic}:" in line]
            assert sum("cannot be read" in line for line in said) == SHARDS, "it is said once"
            assert sum("can be read again" in line for line in said) == SHARDS
        assert executor.terminate() == 0, executor.log


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_process_whose_build_thread_has_ended_ends_too(
    tmp_path: Path, kafka: str, journal_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise RuntimeError("a fault that nobody expected")

    monkeypatch.setattr(runner, "tune_for_serving", broken)
    place = Place(tmp_path, kafka, journal_name, shards=SHARDS).init()
    process = ExecutorProcess(place.settings, load_application(place.settings.application), 0)
    ended: list[BaseException] = []

    def run() -> None:
        try:
            process.run(lambda _serving: None)
        except JournalError as error:
            ended.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(WITHIN_SECONDS)
    process.stop()
    assert not thread.is_alive()
    assert "the build thread has ended" in str(ended[0])


@pytest.fixture
def dying(
    start_kafka: Callable[..., KafkaCluster], journal_name: str, tmp_path: Path
) -> tuple[Place, Load, Callable[[], None]]:
    """A journal whose broker can be killed; questions to it may take longer than the tests."""
    cluster = start_kafka()
    place = Place(tmp_path, cluster.bootstrap, journal_name, shards=SHARDS, more=PATIENT).init()
    patient = place.path.read_text().replace("request_timeout_ms = 3_000", "request_timeout_ms = 60_000")
    place.path.write_text(patient.replace("append_deadline_ms = 3_000", "append_deadline_ms = 600_000"))
    load = Load(place, [f"l{number}" for number in range(4)])
    return place, load, cluster.brokers[0].kill


def killed_in_mid_work(place: Place, load: Load, executor: Role, kill_broker: Callable[[], None]) -> None:
    """Kill the broker while the executor works off a second's worth of commands, in both shards."""
    asking = Consumer({"bootstrap.servers": place.settings.kafka.bootstrap_servers, "group.id": "looking"})

    def ends_at() -> list[int]:
        topic = place.settings.kafka.journal_topic
        return [asking.get_watermark_offsets(TopicPartition(topic, shard), timeout=10)[1] for shard in range(SHARDS)]

    executor.process.send_signal(signal.SIGSTOP)
    load.deposit(80_000)
    before = ends_at()
    executor.process.send_signal(signal.SIGCONT)
    while not all(now > then for now, then in zip(ends_at(), before, strict=True)):
        assert executor.process.poll() is None, executor.log
    kill_broker()
    asking.close()


def ends(role: Role) -> int:
    role.process.send_signal(signal.SIGTERM)
    return role.process.wait(ENDS_WITHIN_SECONDS)


def test_an_end_while_the_broker_is_gone_keeps_its_deadline_and_says_what_is_not_finished(
    dying: tuple[Place, Load, Callable[[], None]],
) -> None:
    place, load, kill_broker = dying
    with place.serving("executor", "--ordinal", "0") as executor:
        executor.serves(0, 1)
        killed_in_mid_work(place, load, executor, kill_broker)
        assert ends(executor) == UNFINISHED, executor.log
        last = executor.log.splitlines()[-1]
        assert "it is not known what came of" in last
        assert "shard " in last
        assert "everything that was taken is finished" not in executor.log


def test_an_end_while_shards_wait_for_a_broker_that_is_gone_does_not_wait_for_it(
    dying: tuple[Place, Load, Callable[[], None]],
) -> None:
    place, load, kill_broker = dying
    place.path.write_text(place.path.read_text().replace("append_deadline_ms = 600_000", "append_deadline_ms = 500"))
    with place.serving("executor", "--ordinal", "0") as executor:
        executor.serves(0, 1)
        killed_in_mid_work(place, load, executor, kill_broker)
        executor.logs("pending frames")
        assert ends(executor) == UNFINISHED, executor.log

"""The Kafka journal where brokers are unkind: dead, refusing, unreachable, or with topics that are wrong."""

from __future__ import annotations

import hashlib
import logging
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import msgspec
import pytest
from confluent_kafka import KafkaError
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from shardlog.adapters.kafka.control import KafkaControl
from shardlog.adapters.kafka.journal import KafkaJournal
from shardlog.adapters.kafka.output_topics import checkpoints_topic
from shardlog.adapters.kafka.reading import Tail
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.adapters.kafka.topics import KafkaTopics, control_topic, journal_topic
from shardlog.adapters.kafka.writer import KafkaWriter
from shardlog.errors import AppendFailed, ConfigurationError, JournalUnavailable
from shardlog.testing.contracts.journal import Reports, append
from shardlog.testing.services.kafka import KafkaCluster
from shardlog.testing.services.ports import free_ports
from tests.services.processes import ROOT

FRAME_BYTES = 900_000
BOUND_SECONDS = 60.0
"""What some bounded waits of a few seconds may take on a busy machine; without bounds they would never end."""


def made(settings: KafkaSettings, shards: int = 1, frame_bytes_max: int = FRAME_BYTES) -> KafkaJournal:
    """A journal whose topic was made just now."""
    KafkaTopics(settings).create([journal_topic(settings, shards, frame_bytes_max)])
    return KafkaJournal(settings, shards)


def described(settings: KafkaSettings) -> dict[str, str]:
    """The journal topic's settings, as a broker says."""
    admin = AdminClient({"bootstrap.servers": settings.bootstrap_servers})
    (asked,) = admin.describe_configs([ConfigResource(ResourceType.TOPIC, settings.journal_topic)]).values()
    return {name: entry.value for name, entry in asked.result(10).items()}


@pytest.fixture
def settings(kafka: str, journal_name: str) -> KafkaSettings:
    return KafkaSettings(bootstrap_servers=kafka, journal=journal_name, request_timeout_ms=5_000)


@pytest.fixture
def bounded() -> Iterator[None]:
    """The test takes no longer than its waits allow, far below what a hang takes."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < BOUND_SECONDS


# -- what passes -------------------------------------------------------------------------------------------------------
def test_what_was_refused_is_over_for_whoever_is_answered(settings: KafkaSettings) -> None:
    """Else a time-out much later would be told as refused credentials, and the other way round."""
    made(settings).close()
    journal = KafkaJournal(settings, 1)
    landed: list[int] = []
    writer = KafkaWriter(settings, 0, landed.append)
    tail = Tail(settings, 0, 0)
    control, topics = KafkaControl(settings), KafkaTopics(settings)
    topics.create([control_topic(settings)])
    refused = KafkaError(KafkaError._AUTHENTICATION)
    clients = (journal, writer, tail, control, topics)
    for client in clients:
        client._faults.note(refused)
    append(journal.writer(0), b"one")
    writer.append(b"two", lambda _report: None)
    tail.wait(1)
    journal.offsets(0)
    control.read()
    topics.id_of(settings.journal_topic)
    give_up = time.monotonic() + BOUND_SECONDS
    while not landed and time.monotonic() < give_up:
        time.sleep(0.01)
    for client in clients:
        assert client._faults.refusal is None, client
    control._faults.note(refused)
    control.write("meta", b"1")
    assert control._faults.refusal is None
    tail.close()
    writer.abandon(1_000)
    control.close()
    journal.close()


# -- topics ------------------------------------------------------------------------------------------------------------
def test_a_fetch_that_says_that_the_log_became_shorter_is_not_believed(
    settings: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A leader that has just begun answers fetches with an end that it has yet to find out about."""
    journal = made(settings)
    append(journal.writer(0), b"1", b"2", b"3")
    following = KafkaJournal(settings, 1)
    try:
        assert [value for _, value in following.read(0, 0)] == [b"1", b"2", b"3"]
        assert list(following.read(0, 3)) == []
        assert following.offsets(0) == (0, 3)
        monkeypatch.setattr(Tail, "end_known", 0)
        assert following.offsets(0) == (0, 3)
    finally:
        following.close()
        journal.close()


def test_topics_are_made_once_as_the_protocol_wants_them(settings: KafkaSettings) -> None:
    topics = KafkaTopics(settings)
    wanted = [journal_topic(settings, 3, FRAME_BYTES), control_topic(settings), checkpoints_topic(settings)]
    assert topics.create(wanted) == [settings.journal_topic, settings.control_topic, settings.checkpoints_topic]
    assert topics.create(wanted) == []
    topics.check(wanted)
    found = described(settings)
    assert found["retention.ms"] == found["retention.bytes"] == "-1"
    assert (found["cleanup.policy"], found["unclean.leader.election.enable"]) == ("delete", "false")
    assert int(found["max.message.bytes"]) >= FRAME_BYTES
    assert topics.id_of(settings.journal_topic) not in ("", topics.id_of(settings.control_topic))


@pytest.mark.parametrize(
    ("name", "value", "needed"),
    [
        ("cleanup.policy", "compact", "must be delete"),
        ("retention.ms", "604800000", "must be -1"),
        ("retention.bytes", "1000000", "must be -1"),
        ("max.message.bytes", "100000", "must be 901024 or more"),
        ("unclean.leader.election.enable", "true", "must be false"),
    ],
)
def test_a_topic_with_a_wrong_setting_is_refused_with_what_mends_it(
    settings: KafkaSettings, name: str, value: str, needed: str
) -> None:
    topics = KafkaTopics(settings)
    wanted = [journal_topic(settings, 1, FRAME_BYTES)]
    topics.create(wanted)
    change = ConfigResource(
        ResourceType.TOPIC,
        settings.journal_topic,
        incremental_configs=[ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)],
    )
    admin = AdminClient({"bootstrap.servers": settings.bootstrap_servers})
    for future in admin.incremental_alter_configs([change]).values():
        future.result(10)
    give_up = time.monotonic() + BOUND_SECONDS
    while described(settings)[name] != value:  # a broker learns of it a moment later
        assert time.monotonic() < give_up
    with pytest.raises(ConfigurationError) as refused:
        topics.create(wanted)
    text = str(refused.value)
    assert f"topic {settings.journal_topic}: {name} is {value}, and {needed}" in text
    assert f"kafka-configs.sh --bootstrap-server {settings.bootstrap_servers} --alter" in text
    assert f"--add-config {name}=" in text


def test_a_topic_with_other_partitions_and_one_that_is_missing_are_refused_together(settings: KafkaSettings) -> None:
    topics = KafkaTopics(settings)
    topics.create([journal_topic(settings, 2, FRAME_BYTES)])
    with pytest.raises(ConfigurationError) as refused:
        topics.check([journal_topic(settings, 4, FRAME_BYTES), control_topic(settings)])
    assert f"{settings.journal_topic} has 2 partition(s), and 4 are needed" in str(refused.value)
    assert f"topic {settings.control_topic} is not there" in str(refused.value)
    assert "run `shardlog admin init`, which makes it" in str(refused.value)


def test_a_frame_that_fits_no_record_is_refused_before_anything_is_made(settings: KafkaSettings) -> None:
    with pytest.raises(ConfigurationError, match=r"frame_bytes_max is 2097152.*record_bytes_max \(2097152\): raise"):
        journal_topic(settings, 1, settings.record_bytes_max)


def test_a_journal_without_its_topic_names_it(settings: KafkaSettings) -> None:
    journal = KafkaJournal(settings, 1)
    try:
        with pytest.raises(ConfigurationError, match=settings.journal_topic):
            list(journal.read(0, 0))
        reports = Reports()
        reports.append(journal.writer(0), b"x")
        (report,) = reports.wait(1)
        assert isinstance(report, AppendFailed)
        assert settings.journal_topic in str(report)
    finally:
        journal.close()


# -- appends -----------------------------------------------------------------------------------------------------------
def test_a_record_above_the_topic_s_limit_in_mid_pipeline_is_reported_and_the_rest_is_not_torn(
    settings: KafkaSettings,
) -> None:
    larger = msgspec.structs.replace(settings, record_bytes_max=8_000_000)
    KafkaTopics(settings).create([journal_topic(settings, 1, FRAME_BYTES)])
    journal = KafkaJournal(larger, 1)
    incompressible = hashlib.shake_256(b"frame").digest(4_000_000)
    values = [b"one", b"two", incompressible, b"four", b"five"]
    reports = Reports()
    try:
        reports.append(journal.writer(0), *values)
        found = reports.wait(5)
        assert isinstance(found[2], AppendFailed)
        assert "max.message.bytes" in str(found[2])
        read = dict(journal.read(0, 0))
        for value, report in zip(values, found, strict=True):
            if isinstance(report, int):
                assert read[report] == value
        assert set(read.values()) <= set(values) - {incompressible}
    finally:
        journal.close()


def test_a_record_above_our_own_limit_and_one_too_many_are_refused_and_change_nothing(settings: KafkaSettings) -> None:
    small = msgspec.structs.replace(settings, record_bytes_max=1_000_000, queue_records_max=5)
    journal = made(small, frame_bytes_max=500_000)
    try:
        reports = Reports()
        reports.append(journal.writer(0), b"x" * 1_100_000)
        (report,) = reports.wait(1)
        assert isinstance(report, JournalUnavailable)
        assert "It was not sent" in str(report)
        many = Reports()
        many.append(journal.writer(0), *[b"%d" % number for number in range(50)])
        found = many.wait(50)
        landed = [b"%d" % number for number, report in enumerate(found) if isinstance(report, int)]
        assert any(isinstance(report, JournalUnavailable) and "queue" in str(report).lower() for report in found)
        assert [value for _, value in journal.read(0, 0)] == landed
    finally:
        journal.close()


def test_with_a_dead_broker_everything_ends_in_bounded_time_and_goes_on_when_it_is_back(
    start_kafka: Callable[..., KafkaCluster], journal_name: str
) -> None:
    cluster = start_kafka(session_timeout_ms=2_000)
    (broker,) = cluster.brokers
    settings = KafkaSettings(
        bootstrap_servers=cluster.bootstrap, journal=journal_name, request_timeout_ms=2_000, read_timeout_ms=2_000
    )
    journal = made(settings)
    writer = journal.writer(0)
    (offset,) = append(writer, b"before")
    assert list(journal.read(0, 0)) == [(offset, b"before")]
    broker.kill()
    began = time.monotonic()
    reports = Reports()
    reports.append(writer, *[b"meanwhile"] * 4)
    with pytest.raises(JournalUnavailable, match=cluster.bootstrap):
        journal.truncate(0, 1)
    writer.abandon(1_000)
    found = reports.wait(4)
    assert all(isinstance(report, AppendFailed) for report in found)
    fresh = journal.writer(0)
    fresh.abandon(1_000)
    other = KafkaJournal(settings, 1)
    with pytest.raises(JournalUnavailable):
        list(other.read(0, 0))
    other.close()
    assert time.monotonic() - began < BOUND_SECONDS
    broker.start()
    broker.wait_until_ready()
    (again,) = append(journal.writer(0), b"after")
    assert list(journal.read(0, again)) == [(again, b"after")]
    broker.pause()
    began = time.monotonic()
    reports = Reports()
    paused = journal.writer(0)
    reports.append(paused, b"into a socket")
    paused.abandon(1_000)
    assert isinstance(reports.wait(1)[0], AppendFailed)
    journal.close()
    assert time.monotonic() - began < BOUND_SECONDS
    broker.resume()


@pytest.mark.usefixtures("bounded")
def test_brokers_that_cannot_be_reached_are_named_in_bounded_time(journal_name: str) -> None:
    (port,) = free_ports(1)
    settings = KafkaSettings(
        bootstrap_servers=f"127.0.0.1:{port}", journal=journal_name, request_timeout_ms=1_500, read_timeout_ms=1_500
    )
    with pytest.raises(JournalUnavailable, match=rf"127\.0\.0\.1:{port}.*no broker answers"):
        KafkaTopics(settings).check([journal_topic(settings, 1, FRAME_BYTES)])
    journal = KafkaJournal(settings, 1)
    with pytest.raises(JournalUnavailable, match=str(port)):
        list(journal.read(0, 0))
    journal.close()


# -- security ----------------------------------------------------------------------------------------------------------
def test_tls_and_scram_are_passed_through_and_wrong_credentials_are_named(
    start_kafka: Callable[..., KafkaCluster], journal_name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    cluster = start_kafka(is_secured=True)
    settings = KafkaSettings(
        bootstrap_servers=cluster.secured_bootstrap,
        journal=journal_name,
        security_protocol="SASL_SSL",
        sasl_mechanism="SCRAM-SHA-256",
        sasl_user=cluster.user,
        sasl_password=cluster.password,
        ca_path=str(cluster.authority_path),
        request_timeout_ms=10_000,
    )
    journal = made(settings)
    (offset,) = append(journal.writer(0), b"secret")
    assert list(journal.read(0, 0)) == [(offset, b"secret")]
    journal.close()

    began = time.monotonic()
    wrong = msgspec.structs.replace(settings, sasl_password="not the one")
    wanted = [journal_topic(wrong, 1, FRAME_BYTES)]
    for change in ({"sasl_password": "not the one"}, {"sasl_user": "nobody"}):
        wrong = msgspec.structs.replace(settings, **change)
        with pytest.raises(ConfigurationError) as refused:
            KafkaTopics(wrong).check(wanted)
        assert f"{wrong.bootstrap_servers} (SASL_SSL), user {wrong.sasl_user!r}" in str(refused.value)
        assert "do not take these credentials" in str(refused.value)
    journal = KafkaJournal(msgspec.structs.replace(settings, sasl_password="not the one"), 1)
    with pytest.raises(ConfigurationError, match=rf"user '{cluster.user}'"):
        list(journal.read(0, 0))
    journal.close()
    untrusting = msgspec.structs.replace(settings, ca_path="")
    with pytest.raises(ConfigurationError, match="TLS failed: check"):
        KafkaTopics(untrusting).check(wanted)
    assert time.monotonic() - began < 2 * BOUND_SECONDS
    assert cluster.password not in caplog.text
    assert cluster.password not in repr(settings)


# -- processes ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("fault", ["kill", "pause"])
def test_a_process_ends_though_its_broker_is_gone_and_readings_and_writers_were_left_open(
    start_kafka: Callable[..., KafkaCluster], journal_name: str, fault: str
) -> None:
    cluster = start_kafka()
    (broker,) = cluster.brokers
    settings = KafkaSettings(bootstrap_servers=cluster.bootstrap, journal=journal_name)
    journal = made(settings)
    append(journal.writer(0), b"a", b"b", b"c")
    journal.close()
    code = f"""
from shardlog.adapters.kafka.control import KafkaControl
from shardlog.adapters.kafka.journal import KafkaJournal
from shardlog.adapters.kafka.reading import Tail
from shardlog.adapters.kafka.settings import KafkaSettings
class Kept: pass
journal = KafkaJournal(KafkaSettings(bootstrap_servers={cluster.bootstrap!r}, journal={journal_name!r}), 1)
kept = Kept()
kept.itself, kept.reading = kept, journal.read(0, 1)  # is collected as garbage at the end
print(next(kept.reading), flush=True)
input()
journal.writer(0).append(b"d", lambda report: None)
journal.close()
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "(1, b'b')\n"
        broker.kill() if fault == "kill" else broker.pause()
        process.stdin.write("\n")
        process.stdin.flush()
        try:
            assert process.wait(60) == 0
        finally:
            process.kill()

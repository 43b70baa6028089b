"""Commands sent from Python reach their shard once, or it is said that they may not have."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from domain.banking.account import account
from domain.banking.messages import Deposit, Open
from shardlog import InvalidId
from shardlog.adapters.kafka.commands import KafkaInput
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.client.kafka import KafkaCommands
from shardlog.errors import AppendFailed, ConfigurationError, JournalUnavailable, NotServing
from shardlog.executor.requests import decode_record
from shardlog.sharding import shard_of
from shardlog.testing.services.kafka import KafkaCluster
from shardlog.testing.services.ports import free_ports
from tests.services.command_line import environment
from tests.services.kafka_served import (
    LEDGERS,
    SHARDS,
    KafkaServed,
    Sending,
    entries,
    envelope,
    made_topics,
    values,
    wait_until,
)


@pytest.fixture
def settings(kafka: str, journal_name: str) -> KafkaSettings:
    return made_topics(kafka, journal_name)


def nowhere(**more: Any) -> KafkaSettings:
    """Brokers that are not there, and short waits."""
    (port,) = free_ports(1)
    return KafkaSettings(bootstrap_servers=f"127.0.0.1:{port}", request_timeout_ms=300, **more)


def test_every_command_is_sent_to_its_shard_by_its_routing_key(settings: KafkaSettings) -> None:
    streams = [account.stream(f"ledger{n}:{n}") for n in range(50)]
    with KafkaCommands(settings) as commands:
        sent = {stream.id: commands.send(stream, Open(owner="ann")) for stream in streams}
        assert commands.flush() == 0
    for id, delivered in sent.items():
        assert delivered.result(1).partition == shard_of(id.partition(":")[0], SHARDS)
    with KafkaServed(settings) as served:
        for shard in range(SHARDS):
            offsets = [d.result().offset for d in sent.values() if d.result().partition == shard]
            served.settle(max(offsets), shard)
    found = [entry for shard in range(SHARDS) for entry in entries(settings, shard)]
    assert {(type(e).__name__, e.command_id) for e in found} == {
        ("Accepted", delivered.result().command_id) for delivered in sent.values()
    }
    assert len(found) == len(streams)


def test_what_is_said_beside_a_command_stands_in_the_record(settings: KafkaSettings) -> None:
    with KafkaCommands(settings) as commands:
        delivered = commands.send(
            account.stream(f"{LEDGERS[1]}:1"),
            Deposit(amount=5),
            reply_to="me",
            command_id="c-1",
            actor="ann",
            expected_version=3,
        ).result(30)
    (message,) = values(settings, settings.commands_topic, 1, 1)
    assert message.key() == LEDGERS[1].encode()
    value = message.value()
    assert value is not None
    record = decode_record(value)
    assert (record.command_id, record.actor, record.expected_version, record.reply_to) == ("c-1", "ann", 3, "me")
    assert (delivered.command_id, delivered.partition, delivered.offset) == ("c-1", 1, message.offset())


def test_what_cannot_be_sent_is_refused_before_it_is_sent(settings: KafkaSettings) -> None:
    with KafkaCommands(settings) as commands:
        with pytest.raises(InvalidId):
            commands.send(account.stream("no id"), Deposit(amount=1))
        with pytest.raises(TypeError, match="there is no option 'actr'"):
            commands.send(account.stream("a:1"), Deposit(amount=1), actr="ann")  # type: ignore[call-arg]
    with pytest.raises(NotServing, match="closed"):
        commands.send(account.stream("a:1"), Deposit(amount=1))
    commands.close()


def test_without_brokers_a_command_ends_as_perhaps_sent_when_the_sender_is_closed() -> None:
    commands = KafkaCommands(nowhere())
    sent = commands.send(account.stream("a:1"), Deposit(amount=1), command_id="c-1")
    assert commands.flush(0.2) == 1
    commands.close(0.5)
    with pytest.raises(AppendFailed, match=r"command c-1 to topic shardlog\.commands failed.*It may be there"):
        sent.result(30)


def test_without_brokers_it_is_said_after_a_while_and_a_command_ends_within_its_time(
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings = nowhere()
    with KafkaCommands(settings, deliver_within_s=5) as commands:
        sent = [commands.send(account.stream("a:1"), Deposit(amount=1), command_id=f"c-{n}") for n in range(3)]
        wait_until(lambda: any(record.name == "shardlog.client" for record in caplog.records), "nothing is said")
        assert not any(one.done() for one in sent), "it is said before it is given up"
        for one in sent:
            with pytest.raises(AppendFailed) as failed:
                one.result(30)
    (said,) = [record.getMessage() for record in caplog.records if record.name == "shardlog.client"]
    for text in (said, str(failed.value)):
        assert text.startswith(f"Kafka at {settings.bootstrap_servers} (PLAINTEXT), without a user: command")
        assert "to topic shardlog.commands failed: no broker answers" in text
        assert "check that a broker runs there (bootstrap_servers)" in text
    assert "commands wait for 5 s at most" in said
    assert "then send it again under the same id: not taken within 5 s, and it may still arrive" in str(failed.value)


def test_a_topic_that_was_not_made_is_said_with_what_makes_it(kafka: str, journal_name: str) -> None:
    with KafkaCommands(KafkaSettings(bootstrap_servers=kafka, journal=journal_name)) as commands:
        sent = commands.send(account.stream("a:1"), Deposit(amount=1))
        with pytest.raises(AppendFailed, match=r"there is no such topic.*made \(shardlog admin init\)"):
            sent.result(30)


def test_a_program_without_a_log_is_told_once_and_not_at_each_try_to_connect(tmp_path: Path) -> None:
    program = (
        "from shardlog.adapters.kafka.settings import KafkaSettings\n"
        "from shardlog.client.kafka import KafkaCommands\n"
        "from domain.banking.account import account\n"
        "from domain.banking.messages import Deposit\n"
        f"with KafkaCommands(KafkaSettings(bootstrap_servers={nowhere().bootstrap_servers!r}), deliver_within_s=4) as c:\n"  # noqa: E501
        "    print(type(c.send(account.stream('a:1'), Deposit(amount=1)).exception()).__name__)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True
    )
    assert ran.stdout == "AppendFailed\n"
    (said,) = ran.stderr.splitlines()
    assert "no broker answers" in said


def test_a_command_that_was_given_up_and_arrives_after_all_is_no_trouble(
    start_kafka: Callable[..., KafkaCluster], journal_name: str
) -> None:
    cluster = start_kafka()
    settings = made_topics(cluster.bootstrap, journal_name)
    with KafkaCommands(settings, deliver_within_s=2) as commands:
        first = commands.send(account.stream("a:1"), Deposit(amount=1))
        first.result(30)
        cluster.brokers[0].pause()
        late = commands.send(account.stream("a:1"), Deposit(amount=1), command_id="late")
        with pytest.raises(AppendFailed, match="command late"):
            late.result(30)
        cluster.brokers[0].resume()
        after = commands.send(account.stream("a:1"), Deposit(amount=1))
        assert after.result(60).offset == first.result().offset + 2
        assert isinstance(late.exception(), AppendFailed)


def test_a_time_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="deliver_within_s is 0, and must be above 0"):
        KafkaCommands(nowhere(), deliver_within_s=0)


def test_a_queue_that_stays_full_is_said_within_the_time_for_it() -> None:
    commands = KafkaCommands(nowhere(queue_records_max=2))
    for _ in range(2):
        commands.send(account.stream("a:1"), Deposit(amount=1))
    with pytest.raises(JournalUnavailable, match="queue is full"):
        commands.send(account.stream("a:1"), Deposit(amount=1))
    commands.close(0.2)


def test_an_input_without_brokers_is_refused_within_the_time_for_it() -> None:
    with pytest.raises(JournalUnavailable, match=r"no broker answers|did not answer"):
        KafkaInput(nowhere(), "shardlog.commands")


def test_an_input_goes_on_by_itself_when_its_broker_comes_back(
    start_kafka: Callable[..., KafkaCluster], journal_name: str
) -> None:
    cluster = start_kafka(session_timeout_ms=2_000)
    (broker,) = cluster.brokers
    settings = made_topics(cluster.bootstrap, journal_name)
    sending = Sending(settings)
    sending.put(envelope(f"{LEDGERS[0]}:1", Open(owner="ann")))
    input = KafkaInput(settings, settings.commands_topic)
    woken = threading.Event()
    input.on_arrival(woken.set)
    wait_until(lambda: len(input.read(0, 0, 10)) == 1, "the first did not come")
    assert not input.read(0, 1, 10)
    broker.kill()
    assert not input.read(0, 1, 10), "nothing is there, and nobody is to blame yet"
    broker.start()
    broker.wait_until_ready()
    sending.put(envelope(f"{LEDGERS[0]}:1"))
    woken.clear()
    wait_until(lambda: [offset for offset, _ in input.read(0, 1, 10)] == [1], "the second did not come")
    input.close()

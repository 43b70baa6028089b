"""What is wrong with brokers, topics and records is named with its remedy, holds up nothing else, and can be mended."""

from __future__ import annotations

import re
import shlex
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

from domain.banking.account import account
from domain.banking.messages import Deposit, Open
from shardlog import Command
from shardlog.client.commands import command_record
from shardlog.executor.clock import SystemWorld
from shardlog.executor.requests import Request
from shardlog.executor.sinks import ThreadSink
from shardlog.model.outcomes import CommandAccepted, CommandRejected, CommandUnavailable, Outcome
from shardlog.testing.services.kafka import BrokerOptions, KafkaCluster
from shardlog.wiring.kafka.executor import ExecutorProcess, Serving
from shardlog.wiring.loading import load_application
from tests.services.kafka_roles import LEDGERS, SHARDS, WITHIN_SECONDS, Load, Place, eventually

CONFIGURATION, DAMAGED = 78, 65


@pytest.fixture
def place(tmp_path: Path, kafka: str, journal_name: str) -> Place:
    """A journal for one executor."""
    return Place(tmp_path, kafka, journal_name).init()


@pytest.fixture
def admin(kafka: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": kafka})


# -- brokers -----------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def own() -> Iterator[KafkaCluster]:
    """A broker that tests may kill, with a secured listener too."""
    with KafkaCluster(BrokerOptions(is_secured=True, session_timeout_ms=2_000)) as cluster:
        yield cluster


def test_roles_wait_for_brokers_at_the_start_and_go_on_behind_an_outage(
    tmp_path: Path, own: KafkaCluster, journal_name: str
) -> None:
    place = Place(tmp_path, own.bootstrap, journal_name).init()
    (broker,) = own.brokers
    broker.kill()
    with (
        place.serving("executor", "--ordinal", "0") as executor,
        place.serving("relay") as relay,
        place.serving("projector") as projector,
    ):
        for role in (executor, relay, projector):
            role.logs("it is tried again every")
            assert not role.lines
        broker.start()
        own.wait_until_ready()
        executor.serves(*range(SHARDS))
        relay.ready()
        projector.ready()
        load = Load(place)
        load.deposit(20)
        eventually(lambda: load.is_executed_once(place), "not all is executed")
        broker.kill()
        executor.logs("the assignments of before count")
        broker.start()
        own.wait_until_ready()
        load.deposit(20)
        eventually(lambda: load.is_executed_once(place), "not all is executed")
        for role in (executor, relay, projector):
            assert role.terminate() == 0, role.log


def test_without_brokers_a_signal_still_ends_a_role(tmp_path: Path, journal_name: str) -> None:
    place = Place(tmp_path, "127.0.0.1:1", journal_name)
    with place.serving("executor", "--ordinal", "0") as executor:
        executor.logs("it is tried again every")
        assert executor.terminate() == 0


def test_without_brokers_a_command_ends_and_says_so(tmp_path: Path, journal_name: str) -> None:
    said = Place(tmp_path, "127.0.0.1:1", journal_name).run("admin", "owners")
    assert (said.code, said.out) == (75, "")
    assert "127.0.0.1:1" in said.err


def test_callers_hear_that_the_journal_takes_nothing_and_are_served_again_behind_it(
    tmp_path: Path, own: KafkaCluster, journal_name: str
) -> None:
    place = Place(tmp_path, own.bootstrap, journal_name).init()
    (broker,) = own.brokers
    process = ExecutorProcess(place.settings, load_application(place.settings.application), 0)
    served: list[Serving] = []
    thread = threading.Thread(target=process.run, args=(served.append,))
    thread.start()
    try:
        eventually(lambda: served and len(served[-1].shards) == SHARDS, "it does not serve")
        assert isinstance(_asked(process, Open(owner="Ada"), "a1"), CommandAccepted)
        broker.kill()
        told = _asked(process, Deposit(amount=1), "a2")
        assert isinstance(told, CommandUnavailable), told
        broker.start()
        own.wait_until_ready()
        eventually(
            lambda: isinstance(_asked(process, Deposit(amount=1), "a2"), CommandAccepted), "it does not serve again"
        )
        assert place.executed() == {"a1": 1, "a2": 1}
    finally:
        process.stop()
        thread.join()


def _asked(process: ExecutorProcess, command: Command, id: str) -> Outcome | CommandRejected:
    stream = account.stream(f"{LEDGERS[0]}:ada")
    future: Future[Outcome] = Future()
    record = command_record(stream, command, SystemWorld().now_us(), {"command_id": id})
    process.submit(0, Request(record, "local", ThreadSink(), future))
    return future.result(WITHIN_SECONDS)


@pytest.mark.parametrize("arguments", [["admin", "init"], ["serve", "executor", "--ordinal", "0"], ["serve", "relay"]])
def test_wrong_credentials_are_refused_by_name(
    tmp_path: Path, own: KafkaCluster, journal_name: str, arguments: list[str]
) -> None:
    secured = f"""
security_protocol = "SASL_SSL"
sasl_mechanism = "SCRAM-SHA-256"
sasl_user = "{own.user}"
ca_path = "{own.authority_path}"
"""
    place = Place(tmp_path, own.secured_bootstrap, journal_name, kafka=secured)
    said = place.run(*arguments, SHARDLOG_KAFKA_SASL_PASSWORD="guessed")
    assert said.code == CONFIGURATION, said.err
    assert "sasl_password" in said.err
    assert own.user in said.err
    assert "guessed" not in said.err


# -- topics ------------------------------------------------------------------------------------------------------------
def test_a_missing_topic_is_named(place: Place, admin: AdminClient) -> None:
    admin.delete_topics([place.settings.kafka.sends_topic])[place.settings.kafka.sends_topic].result()
    for arguments in (["serve", "executor", "--ordinal", "0"], ["serve", "relay"]):
        said = place.run(*arguments)
        assert said.code == CONFIGURATION, said.err
        assert place.settings.kafka.sends_topic in said.err


def test_a_journal_that_was_never_made_is_named_with_what_makes_it(
    tmp_path: Path, kafka: str, journal_name: str
) -> None:
    said = Place(tmp_path, kafka, journal_name).run("serve", "executor", "--ordinal", "0")
    assert said.code == CONFIGURATION
    assert f"{journal_name}.control" in said.err


def test_a_topic_with_another_number_of_partitions_is_refused(place: Place, admin: AdminClient) -> None:
    topic = place.settings.kafka.journal_topic
    admin.create_partitions([NewPartitions(topic, SHARDS + 1)])[topic].result()
    for arguments in (["serve", "executor", "--ordinal", "0"], ["admin", "init"]):
        said = place.run(*arguments)
        assert said.code == CONFIGURATION, said.err
        assert topic in said.err
        assert f"has {SHARDS + 1} partition(s), and {SHARDS} are needed" in said.err


# -- records -----------------------------------------------------------------------------------------------------------
def test_a_record_of_a_newer_format_stops_its_shard_and_no_other(place: Place, kafka: str) -> None:
    producer = Producer({"bootstrap.servers": kafka})
    producer.produce(place.settings.kafka.journal_topic, b'["shardlog",2,"frame"]', partition=1)
    producer.flush()
    load = Load(place, [LEDGERS[0]])
    with place.serving("executor", "--ordinal", "0") as executor:
        executor.serves(0, 2, 3)
        assert executor.lines[-1]["failed"] == [1]
        executor.logs("[critical")
        assert executor.log.count("shard 1 has stopped and waits for somebody") == 1
        assert "deploy code that reads it" in executor.log
        load.deposit(10)
        eventually(lambda: load.is_executed_once(place, [0]), "not all is executed")
    place.run("admin", "assign", "1", "7")
    alone = place.run("serve", "executor", "--ordinal", "7")
    assert alone.code == DAMAGED, "all of its shards have stopped"
    assert "shard 1, offset 0" in alone.err


def test_records_that_are_gone_are_named_and_given_up_by_name_only(place: Place, admin: AdminClient) -> None:
    topic = place.settings.kafka.commands_topic
    load = Load(place, [LEDGERS[0], LEDGERS[1]])
    with place.serving("executor", "--ordinal", "0") as executor:
        executor.serves(*range(SHARDS))
        eventually(lambda: load.is_executed_once(place), "not all is executed")
        executor.terminate()
    lost = load.deposit(20)[::2]  # those of shard 0, from offset 1 to 10
    admin.delete_records([TopicPartition(topic, 0, 9)])[TopicPartition(topic, 0, 9)].result()
    with place.serving("executor", "--ordinal", "0") as executor:
        executor.logs("shardlog admin accept-input")
        eventually(lambda: len(place.executed()) == 12, "the other shard's are not executed")
        assert set(lost).isdisjoint(place.executed())
        (remedy,) = set(re.findall(r"shardlog (admin accept-input \S+ --gap \d+ \d+)", executor.log))
        assert remedy.endswith("--gap 0 9")
        accepted = place.run(*shlex.split(remedy), "--json")
        assert accepted.code == 0, accepted.err
        assert accepted.json["gaps"] == [[0, 9]]
        eventually(lambda: set(lost[8:]) <= place.executed().keys(), "the shard does not look again by itself")
        executor.logs("the gap from 1 was accepted")
        assert executor.terminate() == 0
    with place.serving("executor", "--ordinal", "0"):
        after = load.deposit(4)
        eventually(lambda: set(after) <= place.executed().keys(), "the gap does not stay accepted")
    executed = place.executed()
    assert set(executed) == set(load.sent) - set(lost[:8])
    assert set(executed.values()) == {1}


def test_a_commands_topic_that_was_made_anew_is_refused_until_it_is_accepted(place: Place, admin: AdminClient) -> None:
    topic = place.settings.kafka.commands_topic
    load = Load(place)
    with place.serving("executor", "--ordinal", "0") as executor:
        executor.serves(*range(SHARDS))
        eventually(lambda: load.is_executed_once(place), "not all is executed")
        executor.terminate()
    admin.delete_topics([topic])[topic].result()
    eventually(lambda: topic not in admin.list_topics(timeout=5).topics, "it is not deleted")
    admin.create_topics([NewTopic(topic, SHARDS, 1, config={"max.message.bytes": "2097152"})])[topic].result()
    refused = place.run("serve", "executor", "--ordinal", "0")
    assert refused.code == CONFIGURATION, refused.err
    remedy = re.search(r"shardlog (admin accept-input [^\s;]+)", refused.err)
    assert remedy is not None, refused.err
    assert place.run(*shlex.split(remedy[1])).code == 0
    with place.serving("executor", "--ordinal", "0") as executor:
        executor.serves(*range(SHARDS))
        load.deposit(20)
        eventually(lambda: load.is_executed_once(place), "not all is executed")

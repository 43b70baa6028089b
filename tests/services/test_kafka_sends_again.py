"""Sends that were lost with their topic are carried again once an operator has accepted it, and taken once."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from shardlog.adapters.kafka.checkpoints import read_checkpoints
from shardlog.adapters.kafka.resetting import reset_sends
from shardlog.adapters.kafka.sends import KafkaCarriage
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.adapters.kafka.topics import KafkaTopics
from shardlog.errors import OutputsFailed
from shardlog.inspection.records import entries
from shardlog.testing.contracts.carriage import Reports
from shardlog.testing.contracts.relay import checkpoint
from tests.services.kafka_relayed import RelayedJournal, wait_until
from tests.services.kafka_roles import LEDGERS, SHARDS, Place, eventually

PAYMENTS = 20
PAYER, PAYEE = f"{LEDGERS[0]}:ada", f"{LEDGERS[1]}:bob"


def put(settings: KafkaSettings, id: str, command: str, command_id: str, payload: object) -> None:
    producer = Producer({"bootstrap.servers": settings.bootstrap_servers, "partitioner": "murmur2_random"})
    fields = [1, "account", id, command, command_id, "", "", "", "", "", "", None, None, payload]
    producer.produce(settings.commands_topic, msgspec.json.encode(fields), key=id.partition(":")[0])
    assert producer.flush(30) == 0


def happened(place: Place, type: str) -> Counter[str]:
    """By payment, how often an event of this type stands in the journal."""
    found: Counter[str] = Counter()
    for shard in range(SHARDS):
        for record in place.records(shard):
            for entry in () if record.frame is None else entries(record.frame):
                events = [event for event in entry.events if event.type.split("/")[1] == type]
                found.update(msgspec.json.decode(event.data)["payment"] for event in events)
    return found


def pay(place: Place) -> None:
    settings = place.settings.kafka
    for id in (PAYER, PAYEE):
        put(settings, id, "open", f"open-{id}", {"owner": "Ada"})
    put(settings, PAYER, "deposit", "fund", {"amount": 1_000})
    for number in range(PAYMENTS):
        put(settings, PAYER, "pay", f"pay-{number}", {"to": PAYEE, "amount": 1})


def made_anew(admin: AdminClient, place: Place) -> None:
    topic = place.settings.kafka.sends_topic
    admin.delete_topics([topic])[topic].result()
    eventually(lambda: topic not in admin.list_topics(timeout=5).topics, "it is not deleted")
    place.init()


def emptied(admin: AdminClient, place: Place) -> None:
    partitions = [TopicPartition(place.settings.kafka.sends_topic, shard, -1) for shard in range(SHARDS)]
    for future in admin.delete_records(partitions).values():
        future.result()


@pytest.mark.parametrize("lose", [made_anew, emptied])
def test_payments_whose_sends_were_lost_end_once_after_the_topic_was_accepted(
    tmp_path: Path, kafka: str, journal_name: str, lose: Callable[[AdminClient, Place], None]
) -> None:
    place = Place(tmp_path, kafka, journal_name).init()
    settings, admin = place.settings.kafka, AdminClient({"bootstrap.servers": kafka})
    pay(place)
    with place.serving("executor", "--ordinal", "0") as executor:
        executor.serves(*range(SHARDS))
        eventually(lambda: len(happened(place, "payment_started")) == PAYMENTS, "not all payments have started")
        executor.terminate()
    with place.serving("relay"):
        ends = {shard: len(place.records(shard)) for shard in range(SHARDS)}
        eventually(
            lambda: all(
                shard in (stored := read_checkpoints(settings, "sends").by_shard) and stored[shard].next >= end
                for shard, end in ends.items()
            ),
            "not all is carried",
        )
        lose(admin, place)
        with place.serving("executor", "--ordinal", "0") as executor:
            remedy = re.compile(r"shardlog (admin accept-input kafka:\S+\.sends:[^\s;]+ --gap \d+ \d+)")
            if lose is made_anew:
                name = f"kafka:{settings.sends_topic}:{KafkaTopics(settings).id_of(settings.sends_topic)}"
                commands = {f"admin accept-input {name}"}
            else:
                executor.wait_until(lambda: remedy.search(executor.log), "it does not say what is gone")
                commands = set(remedy.findall(executor.log))
            executor.kill()
        for command in commands:
            said = place.run(*shlex.split(command))
            assert said.code == 0, said.err
            assert "all sends are carried again" in said.out
        with place.serving("executor", "--ordinal", "0") as executor:
            executor.serves(*range(SHARDS))
            executor.wait_until(lambda: len(happened(place, "payment_settled")) == PAYMENTS, "payments are lost")
    for type in ("payment_started", "payment_received", "payment_settled"):
        found = happened(place, type)
        assert len(found) == PAYMENTS and set(found.values()) == {1}, type


def test_a_checkpoint_of_a_carrier_that_knew_no_reset_counts_no_more(kafka: str, journal_name: str) -> None:
    journal = RelayedJournal(kafka, journal_name)
    carriage, reports = KafkaCarriage(journal.settings), Reports()
    carriage.begin()
    carriage.store([checkpoint(7)], reports)
    reports.wait_for(1)
    reset_sends(journal.settings)
    carriage.store([checkpoint(8)], reports)  # it may not know yet
    reports.wait_for(2)
    assert KafkaCarriage(journal.settings).begin() == {}
    assert read_checkpoints(journal.settings, "outputs").by_shard == {}

    def hears() -> bool:
        carriage.store([checkpoint(9)], reports)
        return isinstance(reports.wait_for(len(reports.told))[-1], OutputsFailed)

    wait_until(hears, "the carrier that runs is told to begin again")
    assert carriage.begin() == {}
    told = len(reports.told)
    carriage.store([checkpoint(3)], reports)
    assert reports.wait_for(told + 1)[-1] is None
    assert KafkaCarriage(journal.settings).begin() == {0: checkpoint(3)}
    carriage.close(1_000)
    journal.close()

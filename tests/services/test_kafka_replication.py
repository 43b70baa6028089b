"""Where there are three brokers, topics stand on all of them and two must have a record; less is refused by setting."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic

from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.adapters.kafka.topics import KafkaTopics
from shardlog.errors import ConfigurationError
from shardlog.testing.services.kafka import BrokerOptions, KafkaCluster
from shardlog.wiring.kafka.topics import all_topics
from shardlog.wiring.settings import Settings
from tests.missing import or_skip
from tests.services.kafka_relayed import wait_until

SHARDS = 2


@pytest.fixture(scope="module")
def three() -> Iterator[str]:
    cluster = KafkaCluster(BrokerOptions(brokers=3))
    with or_skip():
        cluster.start()
    try:
        yield cluster.bootstrap
    finally:
        cluster.stop()


@pytest.fixture
def settings(three: str, journal_name: str) -> Settings:
    return Settings(kafka=KafkaSettings(bootstrap_servers=three, journal=journal_name))


def setting_of(admin: AdminClient, topic: str, name: str) -> str:
    asked = ConfigResource(ConfigResource.Type.TOPIC, topic)
    return str(admin.describe_configs([asked])[asked].result(10)[name].value)


def test_every_topic_of_a_journal_has_three_replicas_of_which_two_are_in_sync(settings: Settings, three: str) -> None:
    wanted = all_topics(settings, SHARDS, ["account"])
    topics, admin = KafkaTopics(settings.kafka), AdminClient({"bootstrap.servers": three})
    assert len(topics.create(wanted)) == len(wanted)
    topics.check(wanted)
    found = admin.list_topics(timeout=10).topics
    for topic in wanted:
        replicas = [set(partition.replicas) for partition in found[topic.name].partitions.values()]
        assert len(replicas) == topic.partitions
        assert [len(of_one) for of_one in replicas] == [3] * topic.partitions, topic.name
        assert setting_of(admin, topic.name, "min.insync.replicas") == "2", topic.name
    checkpoints = settings.kafka.checkpoints_topic
    for name, value in (("segment.bytes", "16777216"), ("segment.ms", "600000"), ("min.cleanable.dirty.ratio", "0.1")):
        assert setting_of(admin, checkpoints, name) == value


def test_a_topic_that_one_replica_in_sync_satisfies_is_refused_by_setting(settings: Settings, three: str) -> None:
    wanted = all_topics(settings, SHARDS, ["account"])
    topics, admin = KafkaTopics(settings.kafka), AdminClient({"bootstrap.servers": three})
    topics.create(wanted)
    name = settings.kafka.replies_topic
    entry = ConfigEntry("min.insync.replicas", "1", incremental_operation=AlterConfigOpType.SET)
    changed = ConfigResource(ConfigResource.Type.TOPIC, name, incremental_configs=[entry])
    admin.incremental_alter_configs([changed])[changed].result(10)
    wait_until(lambda: setting_of(admin, name, "min.insync.replicas") == "1", "all brokers know")
    said: list[str] = []

    def is_refused() -> bool:  # by any broker, once it has heard of it
        try:
            topics.check(wanted)
        except ConfigurationError as error:
            said.append(str(error))
        return bool(said)

    wait_until(is_refused, "it is refused")
    assert f"topic {name}: min.insync.replicas is 1, and must be 2 or more" in said[0]
    assert f"--entity-name {name} --add-config min.insync.replicas=2" in said[0]


def test_a_topic_on_one_broker_alone_is_refused(settings: Settings, three: str) -> None:
    name, admin = settings.kafka.checkpoints_topic, AdminClient({"bootstrap.servers": three})
    config = {"cleanup.policy": "compact", "min.insync.replicas": "2", "unclean.leader.election.enable": "false"}
    admin.create_topics([NewTopic(name, 1, 1, config=config)])[name].result(10)
    with pytest.raises(ConfigurationError) as refused:
        KafkaTopics(settings.kafka).create(all_topics(settings, SHARDS, ["account"]))
    assert f"topic {name} has 1 replica(s), and 3 are needed" in str(refused.value)

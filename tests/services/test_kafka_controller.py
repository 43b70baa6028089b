"""What is asked of a cluster whose controller has just died."""

from __future__ import annotations

from confluent_kafka.admin import AdminClient

from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.adapters.kafka.topics import KafkaTopics, control_topic
from shardlog.errors import JournalUnavailable
from tests.missing import or_skip
from tests.services.kafka_faults.ground import brokers_behind_a_proxy
from tests.services.kafka_faults.load import wait_for

ASKED = 20
CONNECTIONS_MAX = 100
"""Some for each broker, as the client tries the dead one again; none for each question."""
ELECTION_SECONDS = 60
"""A slow machine's: until there is a new controller the id is not told, and the next question is asked."""


def test_the_id_of_a_topic_is_told_though_the_controller_is_dead_and_nobody_storms_its_port(journal_name: str) -> None:
    with or_skip(), brokers_behind_a_proxy(3) as brokers:
        settings = KafkaSettings(bootstrap_servers=brokers.proxy.bootstrap, journal=journal_name)
        topics = KafkaTopics(settings)
        topics.create([control_topic(settings)])
        id = topics.id_of(settings.control_topic)
        admin = AdminClient({"bootstrap.servers": brokers.bootstrap})
        controller = admin.describe_cluster(request_timeout=30).result(31).controller.id
        brokers.cluster.brokers[controller - 1].kill()
        before = brokers.proxy.accepted
        wait_for(lambda: is_told(topics, settings.control_topic), ELECTION_SECONDS, lambda: "no controller is elected")
        assert [topics.id_of(settings.control_topic) for _ in range(ASKED)] == [id] * ASKED
        assert brokers.proxy.accepted - before < CONNECTIONS_MAX


def is_told(topics: KafkaTopics, name: str) -> bool:
    try:
        topics.id_of(name)
    except JournalUnavailable:
        return False
    return True

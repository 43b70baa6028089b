"""What executors read beside the journal: producers' commands, and what shards send one another."""

from __future__ import annotations

from shardlog.adapters.kafka.commands import KafkaInput
from shardlog.adapters.kafka.topics import KafkaTopics
from shardlog.journal.accepted_inputs import AcceptedInput
from shardlog.ownership.view import look
from shardlog.wiring.kafka.log import OpenLog
from shardlog.wiring.kafka.topics import input_topics
from shardlog.wiring.settings import Settings


def kafka_inputs(settings: Settings, opened_log: OpenLog) -> list[KafkaInput]:
    """Both topics, with the gaps that an operator accepted. To be closed.

    Raises ConfigurationError for a topic that is missing or wrong, JournalUnavailable.
    """
    KafkaTopics(settings.kafka).check(input_topics(settings, opened_log.meta.shards))
    accepted = look(opened_log.control.read()).inputs
    topics = ((settings.kafka.commands_topic, False), (settings.kafka.sends_topic, True))
    made = [KafkaInput(settings.kafka, topic, carries_sends=carries_sends) for topic, carries_sends in topics]
    for place, (topic, carries_sends) in enumerate(topics):
        found: AcceptedInput | None = accepted.get(made[place].name)
        if found is not None and found.gaps:
            made[place].close()
            made[place] = KafkaInput(settings.kafka, topic, carries_sends=carries_sends, accepted_gaps=found.gaps)
    return made

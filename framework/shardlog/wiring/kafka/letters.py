"""The dead letters of commands of a journal on Kafka: read from the topic that the relay publishes them to."""

from __future__ import annotations

from collections.abc import Iterator

from shardlog.adapters.kafka.published import PublishedTopic
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.ports.relay import CommandDeadLetter
from shardlog.relay.letters_read import read_letter


def published_letters(settings: KafkaSettings) -> Iterator[CommandDeadLetter]:
    """All that the topic still holds, by shard in order, each once. Raises ConfigurationError, JournalUnavailable.

    A relay that was begun anew has published them again, under the same positions.
    """
    topic = PublishedTopic(settings, settings.dead_letters_topic)
    seen: set[str] = set()
    try:
        for record in topic.all():
            letter = read_letter(record.value, record.headers)
            if letter is not None and letter.position.token not in seen:
                seen.add(letter.position.token)
                yield letter
    finally:
        topic.close()

"""All topics of a journal, and those that each role needs."""

from __future__ import annotations

from collections.abc import Iterable

from shardlog.adapters.kafka.output_topics import output_topics, sends_topic
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.adapters.kafka.topics import Topic, commands_topic, control_topic, journal_topic


def all_topics(settings: KafkaSettings, shards: int, frame_bytes_max: int, categories: Iterable[str]) -> list[Topic]:
    """What `shardlog admin init` makes."""
    return [
        journal_topic(settings, shards, frame_bytes_max),
        control_topic(settings),
        *input_topics(settings, shards),
        *output_topics(settings, shards, categories),
    ]


def input_topics(settings: KafkaSettings, shards: int) -> list[Topic]:
    """What executors read beside the journal."""
    return [commands_topic(settings, shards), sends_topic(settings, shards)]


def relay_topics(settings: KafkaSettings, shards: int, categories: Iterable[str]) -> list[Topic]:
    """What a relay reads and writes beside the journal."""
    return [*input_topics(settings, shards), *output_topics(settings, shards, categories)]

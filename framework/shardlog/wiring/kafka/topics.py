"""All topics of a journal, and those that each role needs."""

from __future__ import annotations

from collections.abc import Iterable

from shardlog.adapters.kafka.commands import command_topics
from shardlog.adapters.kafka.output_topics import output_topics
from shardlog.adapters.kafka.topics import Topic, control_topic, journal_topic
from shardlog.relay.letter_records import LETTER_OVERHEAD_BYTES_MAX
from shardlog.wiring.settings import Settings


def all_topics(settings: Settings, shards: int, categories: Iterable[str]) -> list[Topic]:
    """What `shardlog admin init` makes."""
    return [
        journal_topic(settings.kafka, shards, settings.executor.frame_bytes_max),
        control_topic(settings.kafka),
        *input_topics(settings, shards),
        *published_topics(settings, shards, categories),
    ]


def input_topics(settings: Settings, shards: int) -> list[Topic]:
    """What executors read beside the journal."""
    return command_topics(settings.kafka, shards, settings.executor.command_bytes_max)


def published_topics(settings: Settings, shards: int, categories: Iterable[str]) -> list[Topic]:
    """What a relay writes beside what it carries. Raises ConfigurationError where its records do not fit."""
    letter_bytes_max = settings.publisher.original_bytes_max + LETTER_OVERHEAD_BYTES_MAX
    return output_topics(settings.kafka, shards, categories, settings.executor.frame_bytes_max, letter_bytes_max)


def relay_topics(settings: Settings, shards: int, categories: Iterable[str]) -> list[Topic]:
    """What a relay reads and writes beside the journal."""
    return [*input_topics(settings, shards), *published_topics(settings, shards, categories)]

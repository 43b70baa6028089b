"""The topics that a relay publishes to, partitioned as the journal is, and that of its checkpoints."""

from __future__ import annotations

from collections.abc import Iterable

from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.adapters.kafka.topics import Topic, checkpoints_topic

_LARGE = frozenset({"max.message.bytes"})
RECORD_BYTES_MIN = 1_048_576
"""What such a topic must take at least; a new one takes `record_bytes_max`, as the journal does."""


def output_topics(settings: KafkaSettings, shards: int, categories: Iterable[str]) -> list[Topic]:
    """Checkpoints, replies, dead letters, and the events of each category. How long they are kept is their owner's."""
    names = [settings.replies_topic, settings.dead_letters_topic]
    names += [settings.events_topic(category) for category in sorted(categories)]
    kept = {"cleanup.policy": "delete", "max.message.bytes": str(_least(settings))}
    return [checkpoints_topic(settings), *(Topic(name, shards, kept, _LARGE) for name in names)]


def _least(settings: KafkaSettings) -> int:
    return min(RECORD_BYTES_MIN, settings.record_bytes_max)

"""The topics that a relay publishes to, partitioned as the journal is, and that of its checkpoints."""

from __future__ import annotations

from collections.abc import Iterable

from shardlog.adapters.kafka.settings import RECORD_OVERHEAD_BYTES, KafkaSettings
from shardlog.adapters.kafka.topics import COMPACTED, Topic
from shardlog.errors import ConfigurationError

_LARGE = frozenset({"max.message.bytes"})
_SMALL_SEGMENTS = {"segment.bytes": "16777216", "segment.ms": "600000", "min.cleanable.dirty.ratio": "0.1"}
"""A relay reads all of its checkpoints at each start, and what is not compacted is the newest segment."""


def output_topics(
    settings: KafkaSettings, shards: int, categories: Iterable[str], frame_bytes_max: int, letter_bytes_max: int
) -> list[Topic]:
    """Checkpoints, replies, dead letters, and the events of each category. How long they are kept is their owner's.

    frame_bytes_max: of the journal's frames; an entry has half of that at most, and no event or reply is more than
    twice as long as its entry. letter_bytes_max: of a dead letter with its key and headers. Each topic must take such
    records; a new one takes `record_bytes_max`, as the journal does. Raises ConfigurationError where that is too small.
    """
    events = [settings.events_topic(category) for category in sorted(categories)]
    replies = [settings.replies_topic, *events]
    written = [(name, frame_bytes_max) for name in replies] + [(settings.dead_letters_topic, letter_bytes_max)]
    return [checkpoints_topic(settings), *(_written(settings, name, shards, size) for name, size in written)]


def checkpoints_topic(settings: KafkaSettings) -> Topic:
    """How far the relay has come: the newest of each key is kept."""
    return Topic(settings.checkpoints_topic, 1, COMPACTED, advised=_SMALL_SEGMENTS)


def _written(settings: KafkaSettings, name: str, shards: int, bytes_max: int) -> Topic:
    least = bytes_max + RECORD_OVERHEAD_BYTES
    if least > settings.record_bytes_max:
        setting = "publisher setting original_bytes_max" if name == settings.dead_letters_topic else "frame_bytes_max"
        raise ConfigurationError(
            f"topic {name}: a record of it may take {least} bytes, by {setting}, and kafka setting record_bytes_max is "
            f"{settings.record_bytes_max}: raise that to {least} or more, or lower {setting}"
        )
    kept = {"cleanup.policy": "delete", "max.message.bytes": str(least)}
    return Topic(name, shards, kept, _LARGE)

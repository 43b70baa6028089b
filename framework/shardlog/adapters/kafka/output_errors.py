"""What the Kafka client raises or reports while a relay writes, as errors of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import KafkaError

from shardlog.adapters.kafka.errors import FOREIGN_ERRORS, Faults, kafka_error, our_error
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.errors import ConfigurationError, JournalUnavailable, OutputsFailed, PublisherReplaced

_REPLACED = frozenset(
    {KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH, KafkaError.FENCED_INSTANCE_ID}
)
"""What a producer is told when another has begun under its transactional id."""


def output_error(
    error: KafkaError | BaseException, settings: KafkaSettings, doing: str, faults: Faults | None = None
) -> OutputsFailed | ConfigurationError:
    """ConfigurationError where somebody must act first, PublisherReplaced where another publisher runs, else
    OutputsFailed."""
    found = error if isinstance(error, KafkaError) else kafka_error(error)
    if found is not None and found.code() in _REPLACED:
        return PublisherReplaced(
            f"Kafka at {settings.listener}: {doing}: another publisher of journal {settings.journal!r} has begun, and "
            f"what this one had under way was dropped ({found.name()}). One is enough: stop the others"
        )
    ours = our_error(error, settings, doing, faults)
    return ours if isinstance(ours, ConfigurationError) else OutputsFailed(str(ours))


@contextmanager
def output_errors(settings: KafkaSettings, doing: str, faults: Faults | None = None) -> Iterator[None]:
    """Raise what the client raises inside as ours."""
    try:
        yield
    except FOREIGN_ERRORS as error:
        raise output_error(error, settings, doing, faults) from error
    except JournalUnavailable as error:
        raise OutputsFailed(str(error)) from error

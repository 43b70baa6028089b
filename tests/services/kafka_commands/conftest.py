"""Topics of a journal of its own on a real broker, and inputs that are closed with the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from shardlog.adapters.kafka.commands import KafkaInput
from shardlog.adapters.kafka.settings import KafkaSettings
from tests.services.kafka_served import made_topics


@pytest.fixture
def settings(kafka: str, journal_name: str) -> KafkaSettings:
    return made_topics(kafka, journal_name)


@pytest.fixture
def opened() -> Iterator[Callable[..., KafkaInput]]:
    """Opens inputs, which are closed with the test."""
    inputs: list[KafkaInput] = []

    def open(settings: KafkaSettings, **options: Any) -> KafkaInput:
        inputs.append(KafkaInput(settings, settings.commands_topic, **options))
        return inputs[-1]

    yield open
    for input in inputs:
        input.close()

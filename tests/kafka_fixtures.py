"""Brokers for tests: one Apache Kafka and one Tansu a run, started when the first test asks for it.

Where a broker cannot be had, its tests are skipped with what to install, and fail where CI is set.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import pytest

from shardlog.testing.services.kafka import BrokerOptions, KafkaCluster
from shardlog.testing.services.kafka.found import found_kafka
from shardlog.testing.services.tansu import Tansu
from tests.missing import or_skip


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """host:port of an Apache Kafka broker that all tests of this run share: take names of your own."""
    with or_skip():
        context = found_kafka()
        address = context.__enter__()
    try:
        yield address
    finally:
        context.__exit__(None, None, None)


@pytest.fixture(scope="session")
def tansu() -> Iterator[str]:
    """host:port of a Tansu broker that all tests of this run share."""
    with or_skip():
        broker = Tansu()
        broker.start()
    try:
        yield broker.address
    finally:
        broker.stop()


@pytest.fixture
def start_kafka() -> Iterator[Callable[..., KafkaCluster]]:
    """Starts brokers of the test's own, by the fields of BrokerOptions; they end with the test."""
    clusters: list[KafkaCluster] = []

    def start(**options: object) -> KafkaCluster:
        cluster = KafkaCluster(BrokerOptions(**options))  # type: ignore[arg-type]  # as the caller gives them
        clusters.append(cluster)
        with or_skip():
            cluster.start()
        return cluster

    yield start
    for cluster in clusters:
        cluster.stop()


@pytest.fixture
def journal_name() -> str:
    """A name for a journal's topics that nobody else has."""
    return f"test-{uuid.uuid4().hex[:12]}"

"""The broker that tests and demonstrations use: an address in the environment, a container, or a local process."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from shardlog.errors import ConfigurationError
from shardlog.testing.services.kafka.cluster import PLAIN, KafkaCluster
from shardlog.testing.services.kafka.options import BrokerOptions

ADDRESS_VARIABLE = "SHARDLOG_KAFKA"
"""host:port,... of brokers that run, without TLS: then none is started."""
IMAGE = "confluentinc/cp-kafka:8.1.0"
"""Apache Kafka 4.1 in the form that testcontainers can start."""


DOCKER_SOCKET = Path("/var/run/docker.sock")


@contextmanager
def found_kafka(options: BrokerOptions = PLAIN, environment: Mapping[str, str] | None = None) -> Iterator[str]:
    """host:port,... of brokers without TLS, for as long as the context lasts.

    SHARDLOG_KAFKA, else a container where Docker answers (one broker only), else local processes with these options.
    Raises ServiceMissing where there is none of them; the message says what to install.
    """
    environment = os.environ if environment is None else environment
    if address := environment.get(ADDRESS_VARIABLE):
        if not all(part.rpartition(":")[2].isdigit() and part.rpartition(":")[0] for part in address.split(",")):
            raise ConfigurationError(f"environment {ADDRESS_VARIABLE} is {address!r}, and must be host:port,...")
        yield address
    elif options == PLAIN and docker_answers():
        with _container() as address:
            yield address
    else:
        with KafkaCluster(options) as cluster:
            yield cluster.bootstrap


def docker_answers() -> bool:
    """Whether a Docker engine can be asked, and testcontainers is installed."""
    try:
        from docker import from_env
        from docker.errors import DockerException
    except ImportError:
        return False
    if "DOCKER_HOST" not in os.environ and not DOCKER_SOCKET.exists():
        return False  # also since the client that finds nobody there leaves a socket open
    try:
        client = from_env(timeout=5)
    except DockerException:
        return False
    client.close()
    return True


@contextmanager
def _container() -> Iterator[str]:
    """A broker in a container. Not run where no Docker answers."""
    from testcontainers.community.kafka import KafkaContainer

    with KafkaContainer(IMAGE).with_kraft() as container:
        yield container.get_bootstrap_server()

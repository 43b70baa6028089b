"""What librdkafka is told: one function for producers, consumers and admin clients each."""

from __future__ import annotations

import logging
from typing import Any, TypeAlias

from shardlog.adapters.kafka.client_log import ClientLog
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.errors import ConfigurationError

Config: TypeAlias = dict[str, Any]
CLIENT_LOG = ClientLog(logging.getLogger("shardlog.kafka"))
"""One for all clients of the process: each of them would say of every broker that it is away, again and again."""
FETCH_BACK_OFF_MS = 5
"""How long a reader whose store of records was full waits before it fetches again; librdkafka's own is a second."""
LOOKUP_WAIT_MS = 2
LOOKUP_BYTES = 65_536
"""Of a fetch for one record; a larger one comes whole."""
RETRY_BACK_OFF_MS = 50
PROPAGATION_MS = 1_000
"""How long a topic that the brokers do not know is taken for one that was made a moment ago."""
COMMANDS_LINGER_MS = 5
"""How long a command waits for others to travel with it."""
COMMANDS_BATCH_RECORDS = 10_000
GROUP_SUFFIX = ".readers"
"""Ends the consumer group's name. Nothing is committed under it; librdkafka wants one all the same."""


def producer_config(settings: KafkaSettings) -> Config:
    """For one shard's producer, as rule A1 has it: idempotent, acknowledged by all, never reordered."""
    return _common(settings, "writer") | {
        "enable.idempotence": True,
        "acks": "all",
        "max.in.flight.requests.per.connection": 5,
        "message.timeout.ms": settings.message_timeout_ms,
        "linger.ms": 0,
        "retry.backoff.ms": RETRY_BACK_OFF_MS,
        "compression.type": settings.compression,
        "message.max.bytes": settings.record_bytes_max,
        "topic.metadata.propagation.max.ms": PROPAGATION_MS,
        "queue.buffering.max.messages": settings.queue_records_max,
        "queue.buffering.max.kbytes": max(settings.queue_bytes_max // 1_024, 1),
    }


def consumer_config(settings: KafkaSettings) -> Config:
    """For a reader of one shard: all that is committed, checked, from exactly where it is told (rule R5)."""
    return _common(settings, "reader") | {
        "group.id": settings.journal + GROUP_SUFFIX,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "error",
        "isolation.level": "read_uncommitted",
        "check.crcs": True,
        "fetch.wait.max.ms": settings.fetch_wait_ms,
        "fetch.queue.backoff.ms": FETCH_BACK_OFF_MS,
        "fetch.error.backoff.ms": RETRY_BACK_OFF_MS,
        "max.partition.fetch.bytes": settings.fetch_bytes_max,
        "fetch.max.bytes": max(settings.fetch_bytes_max, settings.record_bytes_max),
        "receive.message.max.bytes": max(settings.fetch_bytes_max, settings.record_bytes_max) * 2 + 65_536,
        "queued.max.messages.kbytes": max(settings.prefetch_bytes_max // 1_024, 1),
    }


def commands_config(settings: KafkaSettings) -> Config:
    """For a reader of one shard's commands: what is committed, of transactions too, from exactly where it is told."""
    held = settings.commands_prefetch_bytes_max
    return consumer_config(settings) | {
        "client.id": "shardlog-commands",
        "isolation.level": "read_committed",
        "enable.partition.eof": False,
        "max.partition.fetch.bytes": min(settings.fetch_bytes_max, held),
        "queued.max.messages.kbytes": max(held // 1_024, 1),
    }


def lookup_config(settings: KafkaSettings) -> Config:
    """For single records, each somewhere else: what is committed, and the partition's end where there is none.

    A client has one fetch under way at a broker, and what is assigned next waits until it is answered: so each is
    answered at once, and little is fetched beyond the record.
    """
    return consumer_config(settings) | {
        "client.id": "shardlog-lookup",
        "isolation.level": "read_committed",
        "fetch.wait.max.ms": LOOKUP_WAIT_MS,
        "max.partition.fetch.bytes": LOOKUP_BYTES,
        "queued.min.messages": 1,
    }


def commands_producer_config(settings: KafkaSettings) -> Config:
    """For whoever sends commands: idempotent, partitioned by key as the Java client does, filling batches."""
    return producer_config(settings) | {
        "client.id": "shardlog-client",
        "partitioner": "murmur2_random",
        "linger.ms": COMMANDS_LINGER_MS,
        "batch.num.messages": COMMANDS_BATCH_RECORDS,
    }


def admin_config(settings: KafkaSettings) -> Config:
    """For questions about topics, and for making them."""
    return _common(settings, "admin")


def _common(settings: KafkaSettings, role: str) -> Config:
    if not settings.bootstrap_servers:
        raise ConfigurationError(
            "kafka setting bootstrap_servers is empty: name some brokers as host:port,... "
            "([kafka] bootstrap_servers, or SHARDLOG_KAFKA_BOOTSTRAP_SERVERS)"
        )
    config: Config = {
        "bootstrap.servers": settings.bootstrap_servers,
        "client.id": f"shardlog-{role}",
        "security.protocol": settings.security_protocol,
        "socket.connection.setup.timeout.ms": settings.connect_timeout_ms,
        "reconnect.backoff.ms": min(RETRY_BACK_OFF_MS, settings.reconnect_back_off_max_ms),
        "reconnect.backoff.max.ms": settings.reconnect_back_off_max_ms,
        "allow.auto.create.topics": False,
        "socket.nagle.disable": True,
        "logger": CLIENT_LOG,
    }
    if settings.security_protocol.startswith("SASL"):
        config |= {
            "sasl.mechanism": settings.sasl_mechanism,
            "sasl.username": settings.sasl_user,
            "sasl.password": settings.sasl_password,
        }
    if settings.security_protocol.endswith("SSL"):
        files = {
            "ssl.ca.location": settings.ca_path,
            "ssl.certificate.location": settings.certificate_path,
            "ssl.key.location": settings.key_path,
            "ssl.key.password": settings.key_password,
        }
        config |= {name: value for name, value in files.items() if value}
    return config

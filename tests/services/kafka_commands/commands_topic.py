"""A commands topic whose records are read, cut off, or gone with the topic; accounts of each shard."""

from __future__ import annotations

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from shardlog.adapters.kafka.commands import KafkaInput
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.errors import ConfigurationError
from tests.services.kafka_served import LEDGERS, made_topics, wait_until

HERE, THERE = (f"{ledger}:1" for ledger in LEDGERS)
"""Accounts of shard 0 and of shard 1."""


def read_all(input: KafkaInput, count: int, start: int = 0, limit: int = 200) -> list[tuple[int, bytes]]:
    """So many records, read on and on."""
    found: list[tuple[int, bytes]] = []

    def has_all() -> bool:
        found.extend(input.read(0, found[-1][0] + 1 if found else start, limit))
        return len(found) >= count

    wait_until(has_all, f"only {len(found)} of {count} records came")
    return found


def cut(settings: KafkaSettings, before: int) -> None:
    """As retention does: the records of shard 0 below this offset are gone."""
    admin = AdminClient({"bootstrap.servers": settings.bootstrap_servers})
    for future in admin.delete_records([TopicPartition(settings.commands_topic, 0, before)]).values():
        future.result(30)


def made_again(settings: KafkaSettings) -> None:
    """The commands topic is deleted, and made under the same name."""
    admin = AdminClient({"bootstrap.servers": settings.bootstrap_servers})
    admin.delete_topics([settings.commands_topic])[settings.commands_topic].result(30)

    def is_made() -> bool:
        try:
            made_topics(settings.bootstrap_servers, settings.journal)
        except ConfigurationError:  # the old one is not gone yet
            return False
        return True

    wait_until(is_made, "the topic cannot be made again")


def open_in_headers(id: str) -> dict[str, bytes | None]:
    return {"shardlog-category": b"account", "shardlog-stream": id.encode(), "shardlog-command": b"open"}

"""A faust app that reads published events as they are to be read: what is committed, from where its sinks are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import faust

from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.faust.consumer import CommittedTransport
from shardlog.faust.credentials import broker_url, credentials
from shardlog.faust.places import Place

LOCAL_STORE = "memory://"


class PlacedSink(Protocol):
    """A sink that knows how far its rows are."""

    @property
    def topic_name(self) -> str:
        """What it reads."""
        ...

    def begin(self, partitions: Sequence[int]) -> dict[int, Place | None]:
        """The places of these partitions, which are about to be read anew; None for one that has none yet."""
        ...


class PublishedApp(faust.App):
    """A faust app with the settings that it reaches Kafka by. Made by `published_app`."""

    def __init__(self, id: str, settings: KafkaSettings, **options: Any) -> None:
        super().__init__(id, **options)
        self.kafka_settings = settings
        self.sinks: list[PlacedSink] = []
        self.transport = CommittedTransport(self.conf.broker_consumer, self)


def published_app(id: str, settings: KafkaSettings, *, exactly_once: bool = False, **options: Any) -> PublishedApp:
    """An app for topics of published events.

    id: faust's, and the consumer group's. settings: the section `[kafka]`. exactly_once: whether what the app itself
    sends to Kafka, tables' changelogs too, is in transactions with its offsets; a SqlSink needs none. options: any of
    faust's settings, over those that are set here: nothing listens on a port, topics are read from their beginning, and
    tables are held in memory with their changelog in Kafka. Only what is committed is read, always.
    Raises ConfigurationError for settings that reach no broker.
    """
    return PublishedApp(
        id,
        settings,
        **{
            "broker": broker_url(settings),
            "broker_credentials": credentials(settings),
            "processing_guarantee": "exactly_once" if exactly_once else "at_least_once",
            "store": LOCAL_STORE,
            "consumer_auto_offset_reset": "earliest",
            "topic_disable_leader": True,
            "web_enabled": False,
            **options,
        },
    )

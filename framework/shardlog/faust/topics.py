"""A topic of published events as a faust topic whose values are the domain's events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import faust
from faust.types.core import OpenHeadersArg

from shardlog.client.published import Published, PublishedReader
from shardlog.errors import ConfigurationError, DomainError
from shardlog.faust.app import PublishedApp
from shardlog.model.application import Application

if TYPE_CHECKING:
    from shardlog.avro.wire import AvroWire


class PublishedSchema(faust.Schema[str, Published]):
    """Keys are routing keys, values are Published. It reads; only the relay writes such topics."""

    def __init__(self, reader: PublishedReader) -> None:
        super().__init__(key_type=str, key_serializer="raw", value_type=bytes, value_serializer="raw")
        self._reader = reader

    def loads_key(self, app: Any, message: Any, *, loads: Any = None, serializer: Any = None) -> str:
        """The routing key."""
        return (message.key or b"").decode()

    def loads_value(self, app: Any, message: Any, *, loads: Any = None, serializer: Any = None) -> Published:
        """The event. What it raises is none of faust's decoding errors, so faust stops rather than skip the record."""
        headers = dict(message.headers or ())
        return self._reader.read(message.topic, message.partition, message.offset, headers, message.value)

    def dumps_value(
        self, app: Any, value: Any, *, serializer: Any = None, headers: OpenHeadersArg
    ) -> tuple[Any, OpenHeadersArg]:
        """Raises DomainError, always."""
        raise DomainError("events come from the journal alone: hand in a command, and the relay publishes what follows")


def events_topic(
    app: PublishedApp, category: str, application: Application, *, wire: AvroWire | None = None
) -> faust.TopicT:
    """The topic of one category's events.

    wire: reads values in Avro; JSON needs none. Raises ConfigurationError for a category that the application lacks.
    """
    if category not in application.aggregates:
        known = ", ".join(sorted(application.aggregates))
        raise ConfigurationError(f"the application has no category {category!r}: it has {known}")
    schema = PublishedSchema(PublishedReader(application, wire))
    return app.topic(app.kafka_settings.events_topic(category), schema=schema, internal=False)

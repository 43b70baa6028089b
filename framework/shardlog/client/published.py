"""What stands in a topic of events, as the domain's classes: for whoever consumes it in Python.

A record is read whole or not at all: what this code cannot read is an error, never skipped.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from shardlog.codec.json import NOT_DECODED, decoder
from shardlog.errors import ConfigurationError, PayloadUnreadable
from shardlog.model.application import Application
from shardlog.model.messages import Event
from shardlog.model.recorded import Position, Recorded
from shardlog.model.upcasting import upcast
from shardlog.projector.heard import events_by_tag

if TYPE_CHECKING:
    from shardlog.avro.wire import AvroWire  # who reads JSON alone needs no Avro library

JSON, AVRO = "application/json", "application/avro"


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """One record of a topic of events.

    events: what it holds, as today's classes: one event; none where upcasters drop it, several where they split it.
    type: as it was recorded, `category/name/version`. recorded: with its position. offset: of the record in the topic.
    """

    events: tuple[Event, ...]
    type: str
    recorded: Recorded
    topic: str
    partition: int
    offset: int

    @property
    def position(self) -> Position:
        """Where the event stands in the journal: its id."""
        assert self.recorded.position is not None
        return self.recorded.position


class PublishedReader:
    """Reads records of an application's topics of events. wire: needed for values in Avro alone."""

    def __init__(self, application: Application, wire: AvroWire | None = None) -> None:
        self._types = events_by_tag(application)
        self._wire = wire

    def read(
        self, topic: str, partition: int, offset: int, headers: Mapping[str, bytes], value: bytes | None
    ) -> Published:
        """One record. Raises PayloadUnreadable for one that is no event, or none that this application knows,
        ConfigurationError for Avro without a wire, and what `AvroWire.decode_event` raises."""
        place = f"topic {topic}, partition {partition}, offset {offset}"
        try:
            texts = {name: content.decode() for name, content in headers.items()}
            type, token = texts["ce_type"], texts["ce_id"]
            recorded = _recorded(texts, Position.parse(token))
        except (KeyError, ValueError) as error:
            raise PayloadUnreadable(
                f"{place}: its headers are not those of a published event ({error!r}). Only the relay may write there"
            ) from error
        if type not in self._types:
            raise PayloadUnreadable(
                f"{place}: the event {type} is unknown to this application: deploy code that has it. Nothing is skipped"
            )
        if value is None:
            raise PayloadUnreadable(f"{place}: the event {type} has no value. Only the relay may write there")
        event = self._event(place, type, texts.get("content-type", JSON), value)
        events = upcast(self._types[type][1], event)
        return Published(events=events, type=type, recorded=recorded, topic=topic, partition=partition, offset=offset)

    def _event(self, place: str, type: str, content_type: str, value: bytes) -> Event:
        if content_type == JSON:
            try:
                return decoder(self._types[type][0]).decode(value)
            except NOT_DECODED as error:
                raise PayloadUnreadable(f"{place}: the value is no {type}: {error}") from error
        if content_type != AVRO:
            raise PayloadUnreadable(f"{place}: the value is {content_type!r}, and {JSON} or {AVRO} was expected")
        if self._wire is None:
            raise ConfigurationError(
                f"{place}: the value is Avro, and no wire was given to read it: "
                "wire=AvroWire(application, open_registry(...))"
            )
        return self._wire.decode_event(value).event


def _recorded(texts: Mapping[str, str], position: Position) -> Recorded:
    return Recorded(
        category=texts["ce_type"].partition("/")[0],
        id=texts["ce_subject"],
        version=int(texts["ce_version"]),
        time=datetime.fromisoformat(texts["ce_recordedtime"]),
        occurred_at=datetime.fromisoformat(texts["ce_time"]),
        position=position,
        command_id=texts.get("ce_commandid", ""),
        actor=texts.get("ce_actor", ""),
        tenant=texts.get("ce_tenant", ""),
        correlation_id=texts.get("ce_correlationid", ""),
        causation_id=texts.get("ce_causationid", ""),
    )

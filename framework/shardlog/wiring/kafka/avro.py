"""Avro in the topics of commands and events, by the registry that the settings mean."""

from __future__ import annotations

import threading
from pathlib import Path
from time import monotonic

from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.avro.wire import AvroWire
from shardlog.errors import (
    PayloadUnreadable,
    PayloadUnwritable,
    RegistryFailed,
    RegistryUnavailable,
    SchemaUnknown,
)
from shardlog.model.application import Application
from shardlog.ports.inputs import UnreadableRecord
from shardlog.relay.publishing import EventForm
from shardlog.wiring.schemas import open_registry
from shardlog.wiring.settings import SchemaSettings

MEDIA_TYPE = "application/avro"
MISS_SECONDS = 1.0
"""For how long a registry that had no answer for a schema is not asked for it again: each record would wait for it."""
_ID = slice(1, 5)
"""Where the schema's id stands in a framed value."""


class LazyAvro:
    """Reads commands in Avro, and writes events; the registry is asked when the first of them comes.

    folder: what relative paths in the settings begin at. So a process that meets no Avro needs neither a registry nor
    the extra `avro`.
    """

    def __init__(self, application: Application, settings: SchemaSettings, folder: Path) -> None:
        self._application = application
        self._settings = settings
        self._folder = folder
        self._lock = threading.Lock()
        self._made: AvroWire | None = None
        self._misses: dict[bytes, tuple[float, Exception]] = {}

    def _wire(self) -> AvroWire:
        with self._lock:
            if self._made is None:
                registry = open_registry(self._settings, self._folder)
                self._made = AvroWire(self._application, registry, self._settings.registers)
            return self._made

    def read_command(self, category: str, command: str, value: bytes) -> bytes:
        """A framed command as JSON, or an UnreadableRecord for what its writer must mend.

        Raises RegistryUnavailable and RegistryFailed: the record is asked for again. From any thread.
        """
        try:
            return self._read(category, command, value)
        except (PayloadUnreadable, SchemaUnknown) as error:
            return UnreadableRecord(str(error))
        except KeyError:
            return UnreadableRecord(f"its payload is Avro, and there is no command {category}/{command} to read it as")

    def _read(self, category: str, command: str, value: bytes) -> bytes:
        id = value[_ID]
        until, miss = self._misses.get(id, (0.0, None))
        if miss is not None and monotonic() < until:
            raise miss.with_traceback(None)
        try:
            found = self._wire().command_json(category, command, value)
        except (RegistryUnavailable, RegistryFailed) as error:
            self._misses = {known: at for known, at in self._misses.items() if at[0] > monotonic()}
            self._misses[id] = (monotonic() + MISS_SECONDS, error)
            raise
        self._misses.pop(id, None)
        return found

    def event_form(self, settings: KafkaSettings, bytes_max: int) -> EventForm:
        """How the publisher writes events in Avro. bytes_max: of one, which its topic takes.

        Its `encode` raises PayloadUnwritable for an event that this application does not have, and for one that is too
        long: Avro writes every field and eight bytes a float, JSON may do with less.
        """

        def encode(tag: str, data: bytes) -> bytes:
            topic = settings.events_topic(tag.partition("/")[0])
            try:
                value = self._wire().encode_event_json(topic, tag, data)
            except KeyError as error:
                raise PayloadUnwritable(
                    f"event {tag} for topic {topic} cannot be written as Avro: this application has no such event. "
                    "Give the relay the code that has it, with its old versions; or publish as JSON ([publisher] "
                    "event_format)"
                ) from error
            if len(value) > bytes_max:
                raise PayloadUnwritable(
                    f"event {tag} for topic {topic} takes {len(value)} bytes as Avro, and {bytes_max} are allowed "
                    "(frame_bytes_max): raise that and the topic's max.message.bytes, or publish as JSON ([publisher] "
                    "event_format)"
                )
            return value

        return EventForm(MEDIA_TYPE, encode)

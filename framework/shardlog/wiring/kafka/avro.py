"""Avro in the topics of commands and events, by the registry that the settings mean."""

from __future__ import annotations

from pathlib import Path

from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.avro.wire import AvroWire
from shardlog.errors import PayloadUnreadable, SchemaUnknown
from shardlog.model.application import Application
from shardlog.ports.inputs import UnreadableRecord
from shardlog.relay.publishing import EventForm
from shardlog.wiring.schemas import open_registry
from shardlog.wiring.settings import SchemaSettings

MEDIA_TYPE = "application/avro"


class LazyAvro:
    """Reads commands in Avro, and writes events; the registry is asked when the first of them comes.

    folder: what relative paths in the settings begin at. So a process that meets no Avro needs neither a registry nor
    the extra `avro`.
    """

    def __init__(self, application: Application, settings: SchemaSettings, folder: Path) -> None:
        self._application = application
        self._settings = settings
        self._folder = folder
        self._made: AvroWire | None = None

    def _wire(self) -> AvroWire:
        if self._made is None:
            registry = open_registry(self._settings, self._folder)
            self._made = AvroWire(self._application, registry, self._settings.registers)
        return self._made

    def read_command(self, category: str, command: str, value: bytes) -> bytes:
        """A framed command as JSON, or an UnreadableRecord for what its writer must mend.

        Raises RegistryUnavailable and RegistryFailed: the record is asked for again.
        """
        try:
            return self._wire().command_json(category, command, value)
        except (PayloadUnreadable, SchemaUnknown) as error:
            return UnreadableRecord(str(error))
        except KeyError:
            return UnreadableRecord(f"its payload is Avro, and there is no command {category}/{command} to read it as")

    def event_form(self, settings: KafkaSettings) -> EventForm:
        """How the publisher writes events in Avro."""

        def encode(tag: str, data: bytes) -> bytes:
            return self._wire().encode_event_json(settings.events_topic(tag.partition("/")[0]), tag, data)

        return EventForm(MEDIA_TYPE, encode)

"""Commands and events of an application as framed Avro: what topics carry."""

from __future__ import annotations

from typing import Any, NamedTuple

from shardlog.avro.canonical import Schema, read_schema
from shardlog.avro.framing import framed, unframed
from shardlog.avro.messages import MessageAvro, application_messages
from shardlog.avro.names import MessageName, name_of
from shardlog.errors import PayloadUnreadable, SchemaUnknown
from shardlog.model.application import Application
from shardlog.model.messages import Command, Event
from shardlog.model.upcasting import upcast
from shardlog.ports.schema_registry import SchemaRegistry


class DecodedEvent(NamedTuple):
    """An event as it was written: of its own version, not upcast."""

    category: str
    event: Event


class AvroWire:
    """Framed Avro of one application, with the ids of one registry.

    registers: whether a schema that the registry lacks is registered when it is first needed. Ids and schemas are asked
    for once, so only a first time waits for the registry. Raises DomainError for a message that has no form in Avro.
    Methods may be called from any thread. All of them raise what SchemaRegistry's methods raise: RegistryUnavailable
    says nothing about a value, and the same call is worth another try.
    """

    def __init__(self, application: Application, registry: SchemaRegistry, registers: bool = True) -> None:
        self._application = application
        self._registry = registry
        self._registers = registers
        self._messages = application_messages(application)
        self._by_fullname = {message.name.fullname: message for message in self._messages.values()}
        self._by_tag = {_tag(name): message for name, message in self._messages.items() if name.kind == "events"}
        self._commands = {(n.category, n.name): m for n, m in self._messages.items() if n.kind == "commands"}
        self._ids: dict[tuple[str, MessageName], int] = {}
        self._schemas: dict[int, Schema] = {}

    def encode_event(self, topic: str, category: str, event: Event) -> bytes:
        """An event for this topic. Raises PayloadUnwritable, KeyError for an event of another application."""
        message = self._messages[name_of(category, type(event))]
        return framed(self._id(topic, message), message.encode(event))

    def encode_event_json(self, topic: str, tag: str, data: bytes) -> bytes:
        """The same from what a frame holds: its tag, CATEGORY/NAME/VERSION, and its JSON.

        Raises PayloadUnreadable where the JSON is not of that event, PayloadUnwritable, KeyError for an unknown tag.
        """
        message = self._by_tag[tag]
        return framed(self._id(topic, message), message.encode_json(data))

    def encode_command(self, topic: str, category: str, command: Command) -> bytes:
        """A command for this topic, as its payload. Raises PayloadUnwritable, KeyError for another's command."""
        message = self._messages[name_of(category, type(command))]
        return framed(self._id(topic, message), message.encode(command))

    def decode_event(self, value: bytes) -> DecodedEvent:
        """What stands in a framed value. Raises PayloadUnreadable, SchemaUnknown."""
        id, body = unframed(value)
        writer = self._schema(id)
        message = self._by_fullname.get(_fullname(writer))
        if message is None or message.name.kind != "events":
            raise PayloadUnreadable(f"schema {id} is {_fullname(writer)}, and this application has no such event")
        return DecodedEvent(message.name.category, message.decode(body, writer))

    def decode_event_upcast(self, value: bytes) -> tuple[Event, ...]:
        """The same as today's events: changed, split or dropped by upcasters."""
        category, event = self.decode_event(value)
        return upcast(self._application.aggregates[category], event)

    def command_json(self, category: str, command: str, value: bytes) -> bytes:
        """A framed command as the JSON that an executor takes as payload. command: its wire name.

        Raises PayloadUnreadable, for a command of another name or version too; SchemaUnknown; KeyError for a command
        that the application does not have.
        """
        message = self._commands[category, command]
        id, body = unframed(value)
        writer = self._schema(id)
        if _fullname(writer) != message.name.fullname:
            raise PayloadUnreadable(
                f"schema {id} is {_fullname(writer)}, and {category}/{command} is {message.name.fullname} here: write "
                f"it with the schema of {message.name.path}"
            )
        return message.decode_json(body, writer)

    def _id(self, topic: str, message: MessageAvro[Any]) -> int:
        key = (topic, message.name)
        found = self._ids.get(key)
        if found is None:
            found = self._ids[key] = self._asked(subject(topic, message.name), message.text)
        return found

    def _asked(self, subject: str, text: str) -> int:
        if self._registers:
            return self._registry.register(subject, text)
        found = self._registry.find(subject, text)
        if found is None:
            raise SchemaUnknown(
                f"the registry does not have the schema of {subject}: register it before this code is deployed, or set "
                "[schemas] registers"
            )
        return found

    def _schema(self, id: int) -> Schema:
        found = self._schemas.get(id)
        if found is None:
            found = self._schemas[id] = read_schema(self._registry.schema(id), f"schema {id}")
        return found


def subject(topic: str, name: MessageName) -> str:
    """TOPIC-FULLNAME, Confluent's TopicRecordNameStrategy: a topic carries all events of a category.

    >>> subject("bank.events.account", MessageName("account", "events", "deposited", 1))
    'bank.events.account-account.events.DepositedV1'
    """
    return f"{topic}-{name.fullname}"


def _tag(name: MessageName) -> str:
    return f"{name.category}/{name.name}/{name.version}"


def _fullname(schema: Schema) -> str:
    return f"{schema['namespace']}.{schema['name']}" if "namespace" in schema else str(schema["name"])

"""One message in Avro: its schema, and its values as bytes and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

import msgspec

from shardlog.avro.binary import Binary, Reader
from shardlog.avro.canonical import Schema, schema_id, schema_text
from shardlog.avro.names import MessageName, name_of
from shardlog.avro.records import builtins_of
from shardlog.avro.shapes import AVRO_TYPES
from shardlog.avro.shaping import message_shape
from shardlog.codec.json import NOT_DECODED, decode_hook, decoder
from shardlog.codec.json import encode as encode_json
from shardlog.errors import DomainError, PayloadUnreadable, PayloadUnwritable
from shardlog.model.aggregate import Aggregate
from shardlog.model.application import Application
from shardlog.model.messages import Command, Message

M = TypeVar("M", bound=Message)


class MessageAvro(Generic[M]):
    """A message class in Avro. Raises DomainError for a field that has no form there.

    name: what it is called. schema, text: of the class at hand, the text as it stands in its file. id: what values are
    framed with where no registry gives ids.
    """

    def __init__(self, category: str, message: type[M]) -> None:
        self.name: MessageName = name_of(category, message)
        self.message = message
        self._shape = message_shape(self.name, message)
        assert isinstance(self._shape.schema, dict)
        self.schema: Schema = self._shape.schema
        self.text = schema_text(self.schema)
        self.id = schema_id(self.schema)
        self._binary = Binary(self.schema)
        self._own = self._binary.reader(self.schema)
        self._readers: dict[int, tuple[Schema, Reader]] = {}
        self._from_json = decoder(message).decode

    def encode(self, message: M) -> bytes:
        """The message in Avro binary; equal messages give equal bytes. Raises PayloadUnwritable."""
        try:
            builtins = builtins_of(message)
            value = builtins if self._shape.to_avro is None else self._shape.to_avro(builtins)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise PayloadUnwritable(f"{self.name} cannot be written as Avro: {type(error).__name__} {error}") from error
        return self._binary.encode(value)

    def encode_json(self, data: bytes) -> bytes:
        """The same for a message in JSON, as journals and commands topics hold it. Raises PayloadUnreadable too."""
        try:
            message = self._from_json(data)
        except NOT_DECODED as error:
            raise PayloadUnreadable(f"{data[:80]!r} is no {self.name} in JSON: {error}") from error
        return self.encode(message)

    def decode(self, data: bytes, writer: Schema | None = None) -> M:
        """The message. writer: the schema that it was written with, None for the class's own.

        Raises PayloadUnreadable, for a command whose limits do not hold too.
        """
        value = (self._own if writer is None else self._reader(writer)).decode(data)
        try:
            builtins = value if self._shape.from_avro is None else self._shape.from_avro(value)
            return msgspec.convert(
                builtins, self.message, builtin_types=AVRO_TYPES, dec_hook=decode_hook, str_keys=True
            )
        except (msgspec.ValidationError, TypeError, ValueError, LookupError, RecursionError) as error:
            raise PayloadUnreadable(f"{len(data)} bytes are no {self.name} in Avro: {error}") from error

    def decode_json(self, data: bytes, writer: Schema | None = None) -> bytes:
        """The same as JSON, in the form in which an executor takes payloads."""
        return encode_json(self.decode(data, writer))

    def _reader(self, writer: Schema) -> Reader:
        """Made once for a schema, which is kept, so that no other one takes its identity."""
        found = self._readers.get(id(writer))
        if found is None:
            found = self._readers[id(writer)] = (writer, self._binary.reader(writer))
        return found[1]


def application_messages(application: Application) -> Mapping[MessageName, MessageAvro[Any]]:
    """All commands and events of an application, old versions of events too, in the order of their names.

    Raises DomainError for what has no form in Avro, or for two names that are one there.
    """
    found = [message for aggregate in application.aggregates.values() for message in aggregate_messages(aggregate)]
    _check_distinct(message.name for message in found)
    return {message.name: message for message in sorted(found, key=lambda message: message.name)}


def aggregate_messages(aggregate: Aggregate[Any, Any, Any]) -> Iterator[MessageAvro[Any]]:
    """The commands and events of one category. Raises DomainError."""
    for event in aggregate.events_by_name.values():
        yield MessageAvro(aggregate.category, event)
    for command in aggregate.commands_by_name.values():
        assert issubclass(command, Command)
        yield MessageAvro(aggregate.category, command)


def _check_distinct(names: Iterable[MessageName]) -> None:
    known: dict[str, MessageName] = {}
    for name in names:
        other = known.setdefault(name.path.lower(), name)
        if other is not name:
            raise DomainError(
                f"{other} and {name} have one name in Avro, {name.fullname}: give one of them another `name=`"
            )

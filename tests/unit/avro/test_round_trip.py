"""What a message says, it still says behind Avro: every type of field, and every message of the reference domains."""

from __future__ import annotations

import json
import warnings
from io import BytesIO
from typing import Any

import avro.io
import avro.schema
import fastavro
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.banking import banking
from domain.flights import flights
from shardlog import Application
from shardlog.avro.canonical import canonical, read_schema
from shardlog.avro.messages import MessageAvro, application_messages
from shardlog.codec.json import decode_hook, encode_hook
from shardlog.errors import PayloadUnreadable
from shardlog.model.message_checks import check_message
from tests.unit.avro.strategies import values_of
from tests.unit.avro.zoo import MESSAGES

REFERENCE = application_messages(Application([banking, flights]))
ZOO = [MessageAvro("zoo", message) for message in MESSAGES]
ALL = [*REFERENCE.values(), *ZOO]
each_message = pytest.mark.parametrize("message", ALL, ids=lambda message: str(message.name))
each_of_the_zoo = pytest.mark.parametrize("message", ZOO, ids=lambda message: message.name.name)
quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def parsed(text: str) -> avro.schema.Schema:
    """By the reference implementation, which warns of logical types that it does not know."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return avro.schema.parse(text)


@each_message
@quick
@given(data=st.data())
def test_a_message_comes_back_as_it_went(message: MessageAvro[Any], data: st.DataObject) -> None:
    value = data.draw(values_of(message.message))
    encoded = message.encode(value)
    assert message.decode(encoded) == value
    assert message.encode(message.decode(encoded)) == encoded


@each_of_the_zoo
@quick
@given(data=st.data())
def test_a_message_in_json_gives_the_same_bytes(message: MessageAvro[Any], data: st.DataObject) -> None:
    value = data.draw(values_of(message.message))
    in_json = msgspec.json.encode(value, enc_hook=encode_hook)
    assert message.encode_json(in_json) == message.encode(value)
    again = msgspec.json.decode(in_json, type=message.message, dec_hook=decode_hook)
    assert message.decode(message.encode_json(in_json)) == again


@each_message
@quick
@given(data=st.data())
def test_the_reference_implementation_reads_what_is_written(message: MessageAvro[Any], data: st.DataObject) -> None:
    encoded = message.encode(data.draw(values_of(message.message)))
    source = BytesIO(encoded)
    reader = avro.io.DatumReader(parsed(canonical(message.schema)))
    reader.read(avro.io.BinaryDecoder(source))
    assert source.tell() == len(encoded)


@each_message
def test_the_zoo_is_what_messages_may_be(message: MessageAvro[Any]) -> None:
    check_message(message.message)


@each_message
def test_a_schema_is_one_for_every_implementation(message: MessageAvro[Any]) -> None:
    assert read_schema(message.text, "it") == json.loads(message.text) == message.schema
    assert parsed(message.text).fullname == message.name.fullname
    fastavro.parse_schema(message.schema)


@each_message
def test_an_id_is_the_same_by_the_reference_implementation(message: MessageAvro[Any]) -> None:
    reduced = parsed(canonical(message.schema))  # it keeps what is beside a type's name, the specification does not
    assert reduced.canonical_form == canonical(message.schema)
    assert message.id == int.from_bytes(reduced.fingerprint("sha256")[:4], "big") & 0x7FFFFFFF


@each_of_the_zoo
def test_a_class_gives_the_same_schema_again(message: MessageAvro[Any]) -> None:
    assert MessageAvro("zoo", message.message).text == message.text


def test_defaults_of_a_class_fill_what_a_writer_does_not_have() -> None:
    message = next(message for message in ZOO if message.name.name == "defaulted")
    writer = {**message.schema, "fields": []}
    assert message.decode(b"", writer) == message.message()


@each_message
@quick
@given(garbage=st.binary(max_size=60))
def test_bytes_that_are_no_value_are_refused_as_such(message: MessageAvro[Any], garbage: bytes) -> None:
    refusal = ""
    try:
        message.decode(garbage)
    except PayloadUnreadable as error:
        refusal = str(error)
    assert refusal == "" or message.name.record in refusal or str(message.name) in refusal

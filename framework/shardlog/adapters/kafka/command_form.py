"""From a record of a commands topic, in either form, to the record that executors decode. Pure.

- Envelope: the value is that record already, a JSON array; it is passed on as it is and decoded once, by the executor.
- Headers: `shardlog-category` is there; the value is the payload alone, a JSON object or Avro behind a zero byte, and
  everything else stands in headers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from shardlog.adapters.kafka.headers import read_headers
from shardlog.executor.requests import NOT_DECODED, RECORD_FORMAT
from shardlog.journal.envelope import INTEGER_MAX
from shardlog.journal.records import Origin
from shardlog.model.names import closest
from shardlog.ports.inputs import UnreadableRecord

if TYPE_CHECKING:
    from confluent_kafka import Message

Headers: TypeAlias = Sequence[tuple[str, str | bytes | None]] | dict[str, str | bytes | None] | None
"""As the client library types them; what it gives for a record that was read is a list with bytes or None."""
ReadAvro: TypeAlias = Callable[[str, str, bytes], bytes]
"""From category, command and Avro in Confluent framing to a JSON object.

Returns an UnreadableRecord for what its writer must mend. What it raises is taken for passing, such as a registry that
does not answer: the input is asked again, and the record is not settled.
"""
PREFIX = "shardlog-"
CATEGORY = "shardlog-category"
TEXTS = ("command-id", "tenant", "actor", "correlation", "causation", "reply-to")
NUMBERS = ("expected-version", "occurred-at")
REQUIRED = ("category", "stream", "command")
KNOWN = frozenset(PREFIX + name for name in (*REQUIRED, *TEXTS, *NUMBERS, "origin"))
TRACEPARENT = "traceparent"
AVRO_MAGIC = b"\0"
SHOWN_CHARACTERS = 80
_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_origin = msgspec.json.Decoder(Origin).decode
_encode = msgspec.json.Encoder().encode


class _Wrong(Exception):
    """Why a record says no command. Does not leave this module."""


def command_form(value: bytes | None, headers: Headers, read_avro: ReadAvro | None = None) -> bytes:
    """The JSON array of a CommandRecord, or an UnreadableRecord with the reason; it raises what `read_avro` raises.

    Whether the array is right is the executor's to say: it decodes it anyway.
    """
    if value is None:
        return UnreadableRecord("its value is null: a command without fields has the value {}")
    if not headers and value[:1] == b"[":
        return value
    try:
        found = _own_headers(headers)
        if CATEGORY in found:
            return _from_headers(value, found, read_avro)
        return _envelope(value, found)
    except _Wrong as wrong:
        return UnreadableRecord(str(wrong))


def command_of(message: Message, read_avro: ReadAvro | None) -> bytes:
    """As `command_form`, of a record as the client library has it."""
    try:
        headers = message.headers()
    except (UnicodeDecodeError, SystemError):
        return UnreadableRecord(read_headers(message).why_not)
    return command_form(message.value(), headers, read_avro)


def is_framed(value: bytes | None) -> bool:
    """Whether reading it may ask a schema registry."""
    return value is not None and value[:1] == AVRO_MAGIC


def _own_headers(headers: Headers) -> Mapping[str, bytes]:
    """Those that speak of the command, each once; a header that is misspelt must not go unheard."""
    found: dict[str, bytes] = {}
    for name, value in headers.items() if isinstance(headers, dict) else headers or ():
        if not name.startswith(PREFIX) and name != TRACEPARENT:
            continue
        if name not in KNOWN and name != TRACEPARENT:
            raise _Wrong(f"header {name[:SHOWN_CHARACTERS]!r} means nothing here{closest(name, KNOWN)}")
        if name in found and name != TRACEPARENT:
            raise _Wrong(f"header {name!r} is there twice")
        if value is None:
            raise _Wrong(f"header {name!r} is null: leave it out, or give it a value")
        found[name] = value.encode() if isinstance(value, str) else value
    return found


def _envelope(value: bytes, headers: Mapping[str, bytes]) -> bytes:
    stray = sorted(headers.keys() - {TRACEPARENT})
    if stray:
        raise _Wrong(f"header {stray[0]!r} is there, and {CATEGORY!r}, with which the headers' form begins, is not")
    if value.lstrip(b" \t\r\n")[:1] != b"[":
        raise _Wrong(
            f"the value begins with {value[:8]!r} and there is no header {CATEGORY!r}: a command is a JSON array "
            f'[{RECORD_FORMAT},"CATEGORY","STREAM ID","COMMAND",...], or a payload with the headers {CATEGORY}, '
            f"{PREFIX}stream and {PREFIX}command"
        )
    return value


def _from_headers(value: bytes, headers: Mapping[str, bytes], read_avro: ReadAvro | None) -> bytes:
    category, stream, command = (_required(headers, PREFIX + name) for name in REQUIRED)
    command_id, tenant, actor, correlation, causation, reply_to = (_text(headers, PREFIX + name) for name in TEXTS)
    expected_version, occurred_at = (_number(headers, PREFIX + name) for name in NUMBERS)
    traceparent = _text(headers, TRACEPARENT)
    origin = _origin_of(headers)
    payload = _payload(category, command, value, read_avro)
    return _encode(
        (
            RECORD_FORMAT,
            category,
            stream,
            command,
            command_id,
            tenant,
            actor,
            correlation,
            causation,
            traceparent,
            reply_to,
            expected_version,
            occurred_at,
            msgspec.Raw(payload),
            origin,
        )
    )


def _payload(category: str, command: str, value: bytes, read_avro: ReadAvro | None) -> bytes:
    """One whole JSON object: it is put into an array unread, so it must not reach beyond its place there."""
    if value[:1] == AVRO_MAGIC:
        if read_avro is None:
            raise _Wrong("the value is Avro (it begins with a zero byte), which is not read here: send JSON")
        value = read_avro(category, command, value)
        if isinstance(value, UnreadableRecord):
            raise _Wrong(value.reason)
    try:
        _object(value)
    except NOT_DECODED as error:
        raise _Wrong(f"the value is no JSON object: {error}; it begins with {value[:8]!r}") from error
    return value


def _required(headers: Mapping[str, bytes], name: str) -> str:
    text = _text(headers, name)
    if not text:
        raise _Wrong(f"header {name!r} is {'empty' if name in headers else 'not there'}, and must be given")
    return text


def _text(headers: Mapping[str, bytes], name: str) -> str:
    try:
        return headers.get(name, b"").decode()
    except UnicodeDecodeError as error:
        raise _Wrong(f"header {name!r} is no UTF-8: {error.reason} at byte {error.start}") from error


def _number(headers: Mapping[str, bytes], name: str) -> int | None:
    """An integer in decimal digits; None where there is no such header."""
    digits = headers.get(name)
    if digits is None:
        return None
    if not digits.isdigit() or len(digits) > len(str(INTEGER_MAX)) or int(digits) > INTEGER_MAX:
        shown = digits[:SHOWN_CHARACTERS].decode(errors="replace")
        unit = ", microseconds since 1970 UTC" if name == "shardlog-occurred-at" else ""
        raise _Wrong(f"header {name!r} is {shown!r}, and must be an integer from 0 to {INTEGER_MAX}{unit}")
    return int(digits)


def _origin_of(headers: Mapping[str, bytes]) -> Origin | None:
    value = headers.get("shardlog-origin")
    if value is None:
        return None
    try:
        return _origin(value)
    except NOT_DECODED as error:
        raise _Wrong(f"header 'shardlog-origin' is no origin, which is for what a relay carries: {error}") from error

"""Values of columns as texts, in requests, cursors and CSV; and the words for what a text of each kind must be."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from math import isfinite
from typing import Any
from uuid import UUID

import msgspec

from shardlog.ports.rows import Kind

INTEGER_MIN, INTEGER_MAX = -(2**63), 2**63 - 1
TEXT_CHARACTERS_MAX = 4_000
EXPECTED: Mapping[Kind, str] = {
    "boolean": "true or false",
    "integer": "an integer of 64 bits",
    "real": "a finite number, as in 1.5",
    "decimal": "a decimal number of at most 200 digits, as in 12.50",
    "text": f"a text of at most {TEXT_CHARACTERS_MAX} characters, none of them zero",
    "bytes": "bytes in base64",
    "time": "a time with its zone, as in 2026-03-01T12:00:00Z",
    "date": "a date, as in 2026-03-01",
    "uuid": "a UUID, as in 0d9ab5de-9d0b-4b57-8d6f-6a4a7f6b6a11",
    "enum": f"a text of at most {TEXT_CHARACTERS_MAX} characters, none of them zero",
    "int_enum": "an integer of 64 bits",
    "json": "nothing: columns of JSON are not compared",
}
_is_integer = re.compile(r"-?[0-9]{1,19}").fullmatch
_is_decimal = re.compile(r"[+-]?[0-9]{1,100}(\.[0-9]{1,100})?").fullmatch
_is_real = re.compile(r"[+-]?[0-9]{1,320}(\.[0-9]{1,320})?([eE][+-]?[0-9]{1,3})?").fullmatch
_is_time = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?([Zz]|[+-]\d\d:\d\d)", re.ASCII).fullmatch
_is_date = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII).fullmatch
_is_uuid = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}").fullmatch


def _boolean(text: str) -> bool:
    return {"true": True, "false": False}[text]


def _integer(text: str) -> int:
    number = int(text) if _is_integer(text) else INTEGER_MAX + 1
    if not INTEGER_MIN <= number <= INTEGER_MAX:
        raise ValueError
    return number


def _real(text: str) -> float:
    number = float(text) if _is_real(text) else float("nan")
    if not isfinite(number):
        raise ValueError
    return number


def _decimal(text: str) -> Decimal:
    if not _is_decimal(text):
        raise ValueError
    return Decimal(text)


def _text(text: str) -> str:
    if len(text) > TEXT_CHARACTERS_MAX or "\0" in text:
        raise ValueError
    text.encode()
    return text


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _time(text: str) -> datetime:
    if not _is_time(text):
        raise ValueError
    return datetime.fromisoformat(text.upper()).astimezone(UTC)


def _date(text: str) -> date:
    if not _is_date(text):
        raise ValueError
    return date.fromisoformat(text)


def _uuid(text: str) -> UUID:
    if not _is_uuid(text):
        raise ValueError
    return UUID(text)


def _json(text: str) -> object:
    raise ValueError


_PARSE: Mapping[Kind, Callable[[str], object]] = {
    "boolean": _boolean,
    "integer": _integer,
    "real": _real,
    "decimal": _decimal,
    "text": _text,
    "bytes": _bytes,
    "time": _time,
    "date": _date,
    "uuid": _uuid,
    "enum": _text,
    "int_enum": _integer,
    "json": _json,
}


def parsed(kind: Kind, text: str) -> object:
    """The value that a text stands for. Raises ValueError where it is none of this kind."""
    try:
        return _PARSE[kind](text)
    except (ValueError, KeyError, OverflowError, binascii.Error):
        raise ValueError(f"must be {EXPECTED[kind]}") from None


def text_of(value: Any) -> str:
    """The value as a text that `parsed` reads back; JSON as it is.

    >>> from decimal import Decimal
    >>> text_of(Decimal("1E+2")), text_of(True), text_of(b"ab")
    ('100', 'true', 'YWI=')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(value).decode()
    if isinstance(value, msgspec.Raw):
        return bytes(value).decode()
    if isinstance(value, Enum):
        return str(value.value)
    return str(value)

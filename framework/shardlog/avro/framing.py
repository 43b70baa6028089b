"""Confluent's framing: a zero byte, the schema's id in four bytes, and the value in Avro binary."""

from __future__ import annotations

from typing import NamedTuple

from shardlog.errors import PayloadUnreadable

MAGIC_BYTE = 0
ID_MAX = 2**31 - 1
"""Clients in Java read the id as a signed number."""
HEAD_BYTES = 5


class Framed(NamedTuple):
    """A framed value: the id of the schema that it was written with, and the value."""

    schema_id: int
    body: bytes


def is_framed(value: bytes) -> bool:
    """Whether it begins with the magic byte, which no JSON does."""
    return value[:1] == b"\0"


def framed(schema_id: int, body: bytes) -> bytes:
    """The value behind its schema's id, 0 to ID_MAX.

    >>> framed(7, b"body")
    b'\\x00\\x00\\x00\\x00\\x07body'
    """
    return b"\0" + schema_id.to_bytes(4, "big") + body


def unframed(value: bytes) -> Framed:
    """Raises PayloadUnreadable for what is not framed."""
    if not is_framed(value) or len(value) < HEAD_BYTES:
        raise PayloadUnreadable(
            f"{value[:16]!r} ({len(value)} bytes) is no Avro in Confluent framing: that begins with a zero byte and "
            f"four bytes of a schema's id. Write it with a serializer for a schema registry, or send JSON."
        )
    return Framed(int.from_bytes(value[1:HEAD_BYTES], "big"), value[HEAD_BYTES:])

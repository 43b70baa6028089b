"""Ids: the grammar of stream ids and command ids, and ids drawn from bytes.

A stream id is parts joined by `:`; a part is made of `A-Z a-z 0-9 _ . ~ -` and has a letter or a digit, so that an id
goes unescaped into a URL and a topic key, and `..` is none. A command id is 1 to 128 printable characters.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from functools import lru_cache

from shardlog.errors import InvalidId

STREAM_ID_CHARACTERS_MAX = 200
COMMAND_ID_CHARACTERS_MAX = 128
STREAM_ID_PATTERN = r"^[_.~-]*[A-Za-z0-9][A-Za-z0-9_.~-]*(:[_.~-]*[A-Za-z0-9][A-Za-z0-9_.~-]*)*$"
FIELD_PATTERN = STREAM_ID_PATTERN + r"(?!\n)"
"""Of a message's field that names a stream: there `$` would pass over a line feed."""
_GRAMMAR = (
    f"up to {STREAM_ID_CHARACTERS_MAX} of A-Z a-z 0-9 _ . ~ - in parts joined by ':', each with a letter or digit"
)

_stream_id = re.compile(STREAM_ID_PATTERN.replace("$", r"\Z")).match
_uuid7 = re.compile(
    r"[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?7[0-9a-fA-F]{3}-?[89abAB][0-9a-fA-F]{3}-?[0-9a-fA-F]{12}"
).fullmatch


@lru_cache(maxsize=1 << 14)
def is_stream_id(id: str) -> bool:
    """Whether the text is a stream id. Remembered, since a transaction names the same few streams again and again."""
    return len(id) <= STREAM_ID_CHARACTERS_MAX and _stream_id(id) is not None


def check_stream_id(id: str, category: str) -> None:
    """Refuse what is no stream id. Raises InvalidId."""
    if not isinstance(id, str):
        raise InvalidId(
            f"{id!r} is no id for {category!r}: an id is a str, as in 'north:1', and not {type(id).__name__}"
        )
    if not is_stream_id(id):
        hint = f"; write {id.replace('/', ':')!r}" if "/" in id and is_stream_id(id.replace("/", ":")) else ""
        shown = id if len(id) <= STREAM_ID_CHARACTERS_MAX else f"{id[:40]}... ({len(id)} characters)"
        raise InvalidId(f"{shown!r} is no id for {category!r}: {_GRAMMAR}{hint}")


def in_words(refusal: str) -> str:
    """A decoder's refusal of a field that names a stream, with the grammar in place of its pattern."""
    return refusal.replace(f"matching regex {FIELD_PATTERN!r}", f"that is a stream's id, {_GRAMMAR}").replace(
        f"matching regex '{FIELD_PATTERN}'", f"that is a stream's id, {_GRAMMAR}"
    )


def is_command_id(id: str) -> bool:
    """Whether the text is a command id: 1 to 128 printable characters."""
    return isinstance(id, str) and 0 < len(id) <= COMMAND_ID_CHARACTERS_MAX and id.isprintable()


def uuid8(*parts: bytes | str | int) -> str:
    """A UUID of version 8 (RFC 9562, 5.8) drawn from blake2b-128 over the parts, each preceded by its length."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = part if isinstance(part, bytes) else str(part).encode()
        digest.update(len(data).to_bytes(4, "big"))
        digest.update(data)
    number = int.from_bytes(digest.digest(), "big")
    number = number & ~(0xF000 << 64) | (0x8000 << 64)
    number = number & ~(0xC000 << 48) | (0x8000 << 48)
    return str(uuid.UUID(int=number))


def time_in_id(command_id: str) -> int | None:
    """The time in a UUIDv7 (RFC 9562, 5.7), in microseconds since 1970 UTC; None for any other id."""
    if len(command_id) not in (32, 36) or _uuid7(command_id) is None:
        return None
    return int(command_id.replace("-", "")[:12], 16) * 1000


def uuid7(time_us: int, entropy: bytes) -> str:
    """A UUIDv7 (RFC 9562, 5.7) of a time in microseconds since 1970 UTC and at least 10 bytes of entropy."""
    number = (time_us // 1000) << 80 | int.from_bytes(entropy[:10], "big")
    number = number & ~(0xF000 << 64) | (0x7000 << 64)
    number = number & ~(0xC000 << 48) | (0x8000 << 48)
    return str(uuid.UUID(int=number))

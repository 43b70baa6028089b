"""The head of a request: the headers that say what is expected of a command, and of what kind the body is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec

from shardlog.gateway.problems import RequestRefused
from shardlog.ids import COMMAND_ID_CHARACTERS_MAX, is_command_id

COMMAND_ID = b"idempotency-key"
EXPECTED_VERSION = b"if-match"
CORRELATION = b"shardlog-correlation"
CAUSATION = b"shardlog-causation"
OCCURRED_AT = b"shardlog-occurred-at"
TRACEPARENT = b"traceparent"
CONTENT_TYPE = b"content-type"
CONTENT_ENCODING = b"content-encoding"
CONTENT_LENGTH = b"content-length"
_READ = frozenset(
    {
        COMMAND_ID,
        EXPECTED_VERSION,
        CORRELATION,
        CAUSATION,
        OCCURRED_AT,
        TRACEPARENT,
        CONTENT_TYPE,
        CONTENT_ENCODING,
        CONTENT_LENGTH,
    }
)
Instant = Annotated[datetime, msgspec.Meta(tz=True)]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_version = re.compile(rb'(?:"(\d{1,15})"|(\d{1,15}))').fullmatch
_media_type = re.compile(rb"\s*([\w.+-]+/[\w.+-]+)\s*(?:;\s*charset=\"?utf-8\"?\s*)?", re.IGNORECASE).fullmatch
is_traceparent: Callable[[str], object] = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}").fullmatch


def read_head(headers: Iterable[tuple[bytes, bytes]]) -> Mapping[bytes, bytes]:
    """The headers that the gateway reads, by name. Raises RequestRefused where one of them stands twice."""
    head: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in _READ:
            if name in head:
                raise _invalid(name, "stands there twice: send it once")
            head[name] = value
    return head


def check_media_type(head: Mapping[bytes, bytes], allowed: tuple[bytes, ...]) -> None:
    """Refuse a body of another kind, or one that is compressed (415). Raises RequestRefused."""
    given = head.get(CONTENT_TYPE, b"")
    if given not in allowed:
        found = _media_type(given)
        if found is None or found[1].lower() not in allowed:
            shown = given.decode("latin-1") or "nothing"
            wanted = " or ".join(kind.decode() for kind in allowed)
            raise RequestRefused(415, "unsupported_media_type", f"content-type says {shown!r}: send {wanted}, in UTF-8")
    encoding = head.get(CONTENT_ENCODING, b"identity").lower()
    if encoding != b"identity":
        shown = encoding.decode("latin-1")
        raise RequestRefused(415, "unsupported_media_type", f"content-encoding {shown!r}: send the body as it is")


def command_id(head: Mapping[bytes, bytes]) -> str | None:
    """The command id, None where there is none. The quotes of a structured header are no part of it."""
    value = head.get(COMMAND_ID)
    if value is None:
        return None
    if len(value) > 2 and value[:1] == value[-1:] == b'"':
        value = value[1:-1]
    return _id(COMMAND_ID, value)


def text_id(head: Mapping[bytes, bytes], name: bytes) -> str:
    """Another command's id, as correlation and causation are; "" where there is none."""
    value = head.get(name)
    return "" if value is None else _id(name, value)


def expected_version(head: Mapping[bytes, bytes]) -> int | None:
    """The version that the stream must stand at, as `"3"` or `3`; None where none is expected."""
    value = head.get(EXPECTED_VERSION)
    if value is None:
        return None
    found = _version(value.strip())
    if found is None:
        raise _invalid(EXPECTED_VERSION, f'is {_shown(value)}, and must be a version, as in "3"; 0 for no events yet')
    return int(found[1] or found[2])


def traceparent(head: Mapping[bytes, bytes]) -> str:
    """The W3C trace context; one that is malformed is ignored, as its specification says."""
    value = head.get(TRACEPARENT, b"").decode("latin-1")
    return value if is_traceparent(value) else ""


def occurred_at(head: Mapping[bytes, bytes]) -> int | None:
    """When it happened, in microseconds since 1970 UTC; None where that is not said."""
    value = head.get(OCCURRED_AT)
    if value is None:
        return None
    try:
        return microseconds(msgspec.convert(value.decode("ascii"), Instant))
    except (msgspec.ValidationError, UnicodeDecodeError, ValueError):
        raise _invalid(
            OCCURRED_AT,
            f"is {_shown(value)}, and must be a time since 1970 with its zone, as in 2026-03-01T12:00:00Z",
        ) from None


def microseconds(instant: datetime) -> int:
    """Microseconds since 1970 UTC. Raises ValueError for a time before."""
    number = (instant - _EPOCH) // timedelta(microseconds=1)
    if number < 0:
        raise ValueError(f"{instant.isoformat()} is before 1970")
    return number


def _id(name: bytes, value: bytes) -> str:
    try:
        id = value.decode()
    except UnicodeDecodeError:
        raise _invalid(name, f"is {_shown(value)}, and must be UTF-8") from None
    if not is_command_id(id):
        raise _invalid(name, f"is {_shown(value)}, and must be 1 to {COMMAND_ID_CHARACTERS_MAX} printable characters")
    return id


def _invalid(name: bytes, why: str) -> RequestRefused:
    return RequestRefused(400, "invalid_command", f"the header {name.decode()} {why}")


def _shown(value: bytes) -> str:
    shown = repr(value.decode("latin-1"))
    return shown if len(shown) <= 100 else f"{shown[:100]}... ({len(value)} bytes)"

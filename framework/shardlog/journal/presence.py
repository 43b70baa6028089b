"""When an executor began and ended: a record of the control topic, for people.

`["shardlog",1,"executor",JOURNAL,NAME,TIME,STATE]` with key `executor/NAME`; TIME in microseconds since 1970 UTC, STATE
"started" or "ended". One that was killed says nothing, so "started" is no promise that it runs: there is no failure
detector, and the claim in the journal is what counts.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from shardlog.errors import JournalMismatch
from shardlog.journal.envelope import FORMAT, format_of
from shardlog.journal.records import Count

KEY_PREFIX = "executor/"
PresenceState: TypeAlias = Literal["started", "ended"]


class Presence(msgspec.Struct, frozen=True):
    """journal: its id. name: the executor's. time: when it said so, microseconds since 1970 UTC."""

    journal: str
    name: str
    time: int
    state: PresenceState


class _Record(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    magic: Literal["shardlog"]
    format: Literal[1]
    kind: Literal["executor"]
    journal: str
    name: str
    time: Count
    state: PresenceState


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Record).decode


def presence_key(name: str) -> str:
    """The key of what an executor says of itself."""
    return f"{KEY_PREFIX}{name}"


def is_presence_key(key: str) -> bool:
    """Whether a control record of this key is one of these."""
    return key.startswith(KEY_PREFIX)


def encode_presence(presence: Presence) -> bytes:
    """The record's bytes."""
    p = presence
    return _encode(_Record("shardlog", 1, "executor", p.journal, p.name, p.time, p.state))


def decode_presence(value: bytes) -> Presence:
    """The record of these bytes. Raises JournalMismatch for another format and for what is none."""
    version = format_of(value)
    if version is not None and version != FORMAT:
        raise JournalMismatch(
            f"the record of an executor is of format {version}, and this code reads format {FORMAT}: deploy code that "
            "reads it"
        )
    try:
        record = _decode(value)
    except msgspec.DecodeError as error:
        raise JournalMismatch(
            f"the record of an executor is none of format {FORMAT} ({error}): restart the executor, which writes it "
            f"anew; it begins {value[:60]!r}"
        ) from error
    return Presence(record.journal, record.name, record.time, record.state)

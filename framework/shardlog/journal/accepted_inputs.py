"""What an operator accepted of an input: another incarnation of it, and records of it that are gone for good.

`["shardlog",1,"input",JOURNAL,INPUT,[[SHARD,OFFSET],...]]` with key `input/INPUT`; INPUT is the full name as it stands
in frames. Where a shard is listed, its records below OFFSET may be missing; they were never executed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from shardlog.errors import JournalMismatch
from shardlog.journal.envelope import FORMAT, check_address, format_of
from shardlog.journal.records import Count

KEY_PREFIX = "input/"


class AcceptedInput(msgspec.Struct, frozen=True):
    """journal: its id. input: the full name. gaps: by shard, the offset below which records may be missing."""

    journal: str
    input: str
    gaps: Mapping[int, int]


class _Record(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    magic: Literal["shardlog"]
    format: Literal[1]
    kind: Literal["input"]
    journal: str
    input: str
    gaps: list[tuple[Count, Count]]


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Record).decode


def accepted_input_key(input: str) -> str:
    """The key of what was accepted of an input."""
    return f"{KEY_PREFIX}{input}"


def is_accepted_input_key(key: str) -> bool:
    """Whether a control record of this key is one of these."""
    return key.startswith(KEY_PREFIX)


def encode_accepted_input(accepted: AcceptedInput) -> bytes:
    """The record's bytes; gaps by shard."""
    return _encode(_Record("shardlog", 1, "input", accepted.journal, accepted.input, sorted(accepted.gaps.items())))


def decode_accepted_input(value: bytes) -> AcceptedInput:
    """The record of these bytes. Raises JournalMismatch for another format and for what is none."""
    version = format_of(value)
    if version is not None and version != FORMAT:
        raise JournalMismatch(
            f"the record of an accepted input is of format {version}, and this code reads format {FORMAT}: "
            "deploy code that reads it"
        )
    try:
        record = _decode(value)
        check_address(record.journal, 0, 1)
    except (msgspec.DecodeError, ValueError) as error:
        raise JournalMismatch(
            f"the record of an accepted input is none of format {FORMAT} ({error}): accept the input again; it begins "
            f"{value[:60]!r}"
        ) from error
    return AcceptedInput(record.journal, record.input, dict(record.gaps))

"""The sends of a frame and their numbers: what the relay carries and a target knows as repeat or gap (rule D3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from shardlog.ids import uuid8
from shardlog.journal.records import Forwarded, FrameBody, SendRecord, Unreadable


def numbered_sends(frame: FrameBody[Any]) -> Iterator[tuple[int, SendRecord | Forwarded]]:
    """Every send of a frame with its number: its place among all sends of the frame, forwards among them, from 0."""
    number = 0
    for entry in frame.entries:
        if isinstance(entry, Forwarded):
            yield number, entry
            number += 1
        elif not isinstance(entry, Unreadable):
            for send in entry.sends:
                yield number, send
                number += 1


_LAST_BRACKETS = 5
"""Brackets that end a frame whose last entry sends nothing: of its SENDS, the entry, the entries, body and record."""


def may_concern_a_relay(value: bytes) -> bool:
    """Whether a valid frame may hold a send, a forward, a refusal or an unreadable record; told by its bytes alone.

    Most frames hold none, and need not be decoded by who looks for nothing else. Text cannot hide any of these, since
    quotes in it are escaped; data that look alike cost no more than a decoding. A send ends its list, and its entry,
    behind PREVIOUS: `null` or an array.
    """
    return (
        b'["r","' in value
        or b'["f","' in value
        or b'["x","' in value
        or b"null]]]" in value
        or value.find(b"]]]]", 0, len(value) - _LAST_BRACKETS) >= 0
        or value.endswith(b"]" * (_LAST_BRACKETS + 1))
    )


def send_command_id(journal: str, shard: int, epoch: int, seq: int, number: int) -> str:
    """The command id of a send: a UUIDv8 drawn from where it stands. shard: the source."""
    return uuid8(journal, shard, epoch, seq, number)

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


def send_command_id(journal: str, shard: int, epoch: int, seq: int, number: int) -> str:
    """The command id of a send: a UUIDv8 drawn from where it stands. shard: the source."""
    return uuid8(journal, shard, epoch, seq, number)

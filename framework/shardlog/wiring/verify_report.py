"""What a verification has looked at and what it has found, and a difference of states in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from shardlog.verification.explaining import EventPlace, StreamDiffers
from shardlog.wiring.replay_tasks import Reached


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong. kind: damaged, as journal or snapshot; changed, code since a snapshot; unrepeatable, code that
    leads to another state each time."""

    kind: Literal["damaged", "changed", "unrepeatable"]
    shard: int
    text: str
    stream: str = ""
    event: EventPlace | None = None


class ShardVerified(msgspec.Struct, frozen=True, kw_only=True):
    """What was looked at. start: the snapshot that the replay began with. compared: those that it was compared with.

    left_out: snapshots that this code cannot read, and why.
    """

    shard: int
    records: int
    start: str
    compared: tuple[str, ...]
    left_out: tuple[str, ...]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All that was looked at, and all that is wrong."""

    shards: tuple[ShardVerified, ...]
    problems: tuple[Problem, ...]


def changed(reached: Reached) -> Iterator[Problem]:
    """What a replay says of a snapshot's streams: those that the code at hand leads elsewhere."""
    if reached.explained is None:
        return
    for example in reached.explained.examples:
        yield Problem(
            kind="changed",
            shard=reached.shard,
            stream=f"{example.category}/{example.id}",
            event=example.first,
            text=changed_text(example, reached.snapshot),
        )
    more = reached.explained.streams - len(reached.explained.examples)
    if more:
        yield Problem(kind="changed", shard=reached.shard, text=f"{more} streams more differ from that snapshot")


def changed_text(example: StreamDiffers, snapshot: str) -> str:
    """One stream that a replay leads elsewhere, in words."""
    event = example.first
    stream = f"{example.category}/{example.id}"
    first = "" if event is None else f"version {event.version} ({event.type}, offset {event.offset})"
    if event is None:
        where = "without any event in between"
    else:
        where = f"by {first}" if example.is_exact else f"{first} is the first event that can have made the difference"
    here, there = example.here or "no state", example.there or "no state"
    return f"{stream} is {here}, and snapshot {snapshot} holds {there}; {where}: the code has changed since"


def behind(event: EventPlace | None) -> str:
    """From which event on, in words; nothing where none is known."""
    return "" if event is None else f", from version {event.version} on ({event.type}, offset {event.offset})"

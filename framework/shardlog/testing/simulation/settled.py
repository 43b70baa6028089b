"""How far one input of a shard is settled: each record once, in order, by an entry or as a repeat."""

from __future__ import annotations

from typing import Any

import msgspec

from shardlog.executor.requests import CommandRecord, decode_record
from shardlog.testing.simulation.feeds import Feed
from shardlog.testing.simulation.finding import Finding


class Settled:
    """One input of one shard. Every method raises Finding for a record that is lost or settled twice."""

    def __init__(self, feed: Feed, shard: int) -> None:
        self.name = feed.name
        self.records = feed.records[shard]
        self.next = 0
        self._taken = -1
        self._ids: set[tuple[str, str]] = set()
        self._is_counted = feed.name.startswith("kafka:")

    def take(self, where: str, offset: int, tag: str) -> None:
        """The record at this offset is settled by an entry; those between must be repeats."""
        for passed in range(self._taken + 1, offset):
            if not self._is_repeat(passed):
                raise Finding(f"{where}: {self.name} offset {passed} is passed over and left no entry")
        if offset <= self._taken:
            raise Finding(f"{where}: {self.name} offset {offset} is settled again")
        self._taken = offset
        record = _decoded(self.records[offset])
        if (record is None) != (tag == "x"):
            raise Finding(f"{where}: {self.name} offset {offset} is settled as {tag!r}")
        if record is not None:
            self._ids.add((record.id, record.command_id))

    def command(self, where: str, entry: dict[str, Any], offset: int | None) -> CommandRecord:
        """The record that an entry is of."""
        for place in range(self._taken + 1, len(self.records)) if offset is None else (offset,):
            record = _decoded(self.records[place])
            if record is not None and (record.id, record.command_id) == (entry["id"], entry["command_id"]):
                self.take(where, place, entry["tag"])
                return record
        raise Finding(f"{where}: {entry['command_id']} of {self.name} is settled out of turn or twice")

    def move(self, shard: int, offset: int, next_offset: int) -> None:
        """A frame says that all below `next_offset` is settled."""
        for passed in range(self._taken + 1, next_offset):
            if not self._is_repeat(passed):
                raise Finding(
                    f"shard {shard}, offset {offset}: {self.name} offset {passed} is settled without an entry"
                )
        if next_offset <= self.next or next_offset <= self._taken:
            raise Finding(f"shard {shard}, offset {offset}: {self.name} moves from {self.next} to {next_offset}")
        self._taken = next_offset - 1
        self.next = next_offset

    def _is_repeat(self, offset: int) -> bool:
        record = _decoded(self.records[offset])
        return self._is_counted and record is not None and (record.id, record.command_id) in self._ids


def _decoded(value: bytes) -> CommandRecord | None:
    try:
        return decode_record(value)
    except msgspec.DecodeError:
        return None

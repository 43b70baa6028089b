"""Every record of the commands topic has one outcome in the journal, in order, or is a repeat."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from shardlog.sharding import shard_of
from shardlog.testing.simulation.log import ValidFrame
from tests.services.kafka_faults.load import Produced
from tests.services.kafka_faults.topics import Found


class Wanted(NamedTuple):
    """What a record must lead to. tag: of an entry: "" for a or r, "f" forwarded, "x" unreadable."""

    tag: str
    id: str
    command_id: str


def wanted_of(value: bytes, shard: int, shards: int) -> Wanted:
    """Judged by the record's documented form, without the engine's decoder."""
    try:
        fields = json.loads(value)
    except ValueError:
        return Wanted("x", "", "")
    if not (isinstance(fields, list) and len(fields) >= 14):
        return Wanted("x", "", "")
    id, command_id = fields[2], fields[4]
    is_own = shard_of(id.split(":")[0], shards) == shard
    return Wanted("" if is_own else "f", id, command_id)


def check_settled(
    shard: int, shards: int, frames: Sequence[ValidFrame], records: Sequence[Found], input: str, is_at_rest: bool
) -> None:
    """Follow the frames, and the records that they settle."""
    by_offset = {record.offset: record for record in records}
    position, seen = 0, set[tuple[str, str]]()
    for frame in frames:
        where = f"shard {shard}, offset {frame.offset}"
        entries = _of_input(frame, input)
        next_offset = frame.body[1].get(input, position)
        assert next_offset >= position, f"{where}: {input} goes back from {position} to {next_offset}"
        for offset in range(position, next_offset):
            record = by_offset.get(offset)
            if record is None:  # of a transaction's marker
                continue
            wanted = wanted_of(record.value, shard, shards)
            if (wanted.id, wanted.command_id) in seen and wanted.tag == "":
                continue
            entry = next(entries, None)
            assert entry is not None, f"{where}: record {offset} is passed without an outcome: {record.value[:200]!r}"
            _check_entry(f"{where}, record {offset}", entry, wanted, offset)
            if wanted.tag == "":
                seen.add((wanted.id, wanted.command_id))
        rest = next(entries, None)
        assert rest is None, f"{where}: an outcome of no record, or of one settled before: {rest}"
        position = next_offset
    end = max(by_offset, default=-1) + 1
    assert not is_at_rest or position >= end, f"shard {shard}: {input} is settled to {position} of {end}"


def check_confirmed(produced: Sequence[Produced], records: Sequence[Sequence[Found]]) -> int:
    """What was confirmed stands where it was said, and nothing stands there twice; returns how many."""
    confirmed = [record for record in produced if record.offset is not None]
    places = {(record.shard, record.offset) for record in confirmed}
    assert len(places) == len(confirmed), "two records were confirmed at one place"
    by_place = {(shard, found.offset): found.value for shard, some in enumerate(records) for found in some}
    for record in confirmed:
        found = by_place.get((record.shard, record.offset))  # type: ignore[arg-type]  # it has an offset
        assert found == record.value, f"confirmed at {record.shard}/{record.offset}: {record.value!r}, found {found!r}"
    assert len(by_place) <= len(produced), f"{len(by_place)} records stand there, {len(produced)} were sent"
    return len(confirmed)


def _of_input(frame: ValidFrame, input: str) -> Iterator[list[Any]]:
    return (
        entry
        for entry in frame.body[2]
        if (entry[0] in "fx" and entry[1] == input) or (entry[0] in "ar" and entry[7] == "kafka" and entry[13] is None)
    )


def _check_entry(where: str, entry: list[Any], wanted: Wanted, offset: int) -> None:
    if wanted.tag:
        assert (entry[0], entry[2]) == (wanted.tag, offset), f"{where}: must be {wanted}, is {entry}"
    else:
        assert entry[0] in "ar", f"{where}: must be decided, is {entry}"
        assert (entry[2], entry[4]) == (wanted.id, wanted.command_id), f"{where}: must be {wanted}, is {entry}"

"""From checkpoints and records to frames and new checkpoints: the reader's rule over several shards. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from shardlog.errors import Diverged, Truncated, UnknownFormat
from shardlog.journal.reader import FrameTaken, Reader, ReaderState, check_reach
from shardlog.ports.checkpoints import Checkpoint, Move


class Record(NamedTuple):
    """One record as the journal holds it."""

    shard: int
    offset: int
    value: bytes


class Frame(NamedTuple):
    """One valid frame's body."""

    shard: int
    offset: int
    body: bytes | memoryview


class Passed(NamedTuple):
    """Valid frames, shard by shard in order, and the checkpoints behind all records, invalid ones among them."""

    frames: list[Frame]
    checkpoints: dict[int, Checkpoint]


class Source(NamedTuple):
    """The journal that is read: its id, and how many shards it has."""

    journal: str
    shards: int


def pass_over(source: Source, checkpoints: Mapping[int, Checkpoint], records: Iterable[Record]) -> Passed:
    """Run the reader over records that follow the checkpoints.

    A shard ends before a record that must stop it, and that record comes first in the next batch. Raises Diverged (rule
    R6) and UnknownFormat (rule R4) where it is a shard's first.
    """
    readers: dict[int, Reader] = {}
    ended: set[int] = set()
    frames: list[Frame] = []
    for shard, offset, value in records:
        if shard in ended:
            continue
        reader = readers.get(shard)
        if reader is None:
            reader = readers[shard] = _reader(source, shard, checkpoints.get(shard))
        try:
            verdict = reader.pass_over(offset, value)
        except (Diverged, UnknownFormat):
            if reader.position == next_offset(checkpoints, shard):
                raise
            ended.add(shard)
            continue
        if type(verdict) is FrameTaken:
            frames.append(Frame(shard, offset, verdict.body))
    moved = {shard: Checkpoint(*reader.state) for shard, reader in readers.items()}
    return Passed(frames, {**checkpoints, **moved})


def before(stop: UnknownFormat, records: Sequence[Record]) -> list[Record]:
    """The records without what its shard has from the offset of `stop` on."""
    return [record for record in records if record.shard != stop.shard or record.offset < stop.offset]


def next_offset(checkpoints: Mapping[int, Checkpoint], shard: int) -> int:
    """Where to read on; 0 for a shard that has not been begun."""
    checkpoint = checkpoints.get(shard)
    return 0 if checkpoint is None else checkpoint.next


def next_offsets(checkpoints: Mapping[int, Checkpoint]) -> dict[int, int]:
    """By shard that has been begun, where to read on."""
    return {shard: checkpoint.next for shard, checkpoint in checkpoints.items()}


def moves(old: Mapping[int, Checkpoint], new: Mapping[int, Checkpoint]) -> list[Move]:
    """The checkpoints that differ, in the order of shards."""
    return [Move(old.get(shard), new[shard]) for shard in sorted(new) if old.get(shard) != new[shard]]


def check(source: Source, name: str, checkpoints: Mapping[int, Checkpoint], ends: Mapping[int, int]) -> None:
    """Refuse checkpoints that this journal cannot have led to. Raises Diverged (rule C2)."""
    for shard, held in sorted(checkpoints.items()):
        if held.journal != source.journal:
            why = f"projection {name!r} was built from journal {held.journal}, and this is {source.journal}: rebuild it"
            raise Diverged(shard, held.next, why)
        if held.shards != source.shards or shard >= source.shards:
            why = f"projection {name!r} was built from {held.shards} shards, and there are {source.shards}: rebuild it"
            raise Diverged(shard, held.next, why)
        check_reach(ReaderState(*held), ends[shard], f"projection {name!r}")


def cut_off(error: Truncated, name: str) -> Truncated:
    """The error of a journal that begins behind a checkpoint, with what is to be done about the projection."""
    next_step = (
        f"Projection {name!r} has not read what is missing, and nothing was written: let it read the archive and the "
        "journal as one, restore its database from a backup that has read further, or go on without these records "
        f"(pass_over, before={error.earliest}). A rebuild needs the archive too."
    )
    return Truncated(error.shard, error.start, error.earliest, next_step)


def _reader(source: Source, shard: int, checkpoint: Checkpoint | None) -> Reader:
    if checkpoint is None:
        return Reader(source.journal, shard, source.shards)
    return Reader.from_state(ReaderState(*checkpoint))

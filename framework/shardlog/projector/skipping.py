"""What stands behind a build's checkpoint: how old it is, and passing over it by hand, so that no row knows of it."""

from __future__ import annotations

from itertools import islice

from shardlog.errors import CheckpointMoved
from shardlog.journal.reader import FrameTaken, Reader, ReaderState
from shardlog.model.recorded import Position
from shardlog.ports.builds import Build
from shardlog.ports.checkpoints import Checkpoint, Move
from shardlog.ports.journal import Journal
from shardlog.ports.projections import Batch, ProjectionStore
from shardlog.projector.ages import frame_time_us
from shardlog.projector.core import Source

RECORDS_LOOKED_AT = 1_000
"""So many records are looked at for a frame: claims and invalid ones stand between frames, rarely many."""


def pass_over_to(journal: Journal, source: Source, store: ProjectionStore, build: Build, target: Position) -> int:
    """Move the checkpoint of the target's shard behind the record at the target. Returns how many records that passes.

    The records are read, so that the checkpoint is one that the journal leads to; the build's record says which were
    passed over. Raises CheckpointMoved where the shard has been read that far already, or moves meanwhile, and
    JournalError where the records cannot be read.
    """
    old = store.stored(build.key).checkpoints.get(target.shard)
    start = 0 if old is None else old.next
    if target.offset < start:
        raise CheckpointMoved(
            f"build {build.key.label} has read shard {target.shard} up to offset {start}, and {target.token} lies "
            f"before it: rows are not taken back. Rebuild it: `shardlog rebuild {build.name}`"
        )
    reader = _reader(source, target.shard, old)
    for offset, value in journal.read(target.shard, start):
        if offset > target.offset:
            break
        reader.pass_over(offset, value)
    if reader.position <= target.offset:
        raise CheckpointMoved(
            f"shard {target.shard} ends at offset {reader.position}, and {target.token} lies behind it: nothing is "
            "passed over"
        )
    moved = Checkpoint(*reader.state)
    told = f"shard {target.shard}: offsets {start} to {target.offset}. "
    store.write(Batch(build, [Move(old, moved)], passed_over=told))
    return reader.position - start


def oldest_time_us(journal: Journal, source: Source, shard: int, held: Checkpoint | None) -> int:
    """When the oldest frame that follows a checkpoint was recorded, in microseconds since 1970 UTC; 0 for none."""
    reader = _reader(source, shard, held)
    for offset, value in islice(journal.read(shard, reader.position), RECORDS_LOOKED_AT):
        verdict = reader.pass_over(offset, value)
        if isinstance(verdict, FrameTaken):
            return frame_time_us(verdict.body)
    return 0


def _reader(source: Source, shard: int, held: Checkpoint | None) -> Reader:
    return Reader(source.journal, shard, source.shards) if held is None else Reader.from_state(ReaderState(*held))

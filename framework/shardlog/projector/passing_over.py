"""What an operator lets a projection pass over: its checkpoint moves, and no row knows of the records between."""

from __future__ import annotations

from datetime import UTC, datetime

from shardlog.errors import BuildRefused
from shardlog.journal.reader import Reader, ReaderState
from shardlog.ports.builds import Build
from shardlog.ports.checkpoints import Checkpoint, Move
from shardlog.ports.journal import Journal
from shardlog.ports.projections import Batch, ProjectionStore
from shardlog.projector.core import Source


def pass_over_by_hand(
    journal: Journal, source: Source, store: ProjectionStore, build: Build, shard: int, before: int
) -> None:
    """Let a build go on at an offset of a shard, and say in its record what it has not heard.

    The records between are read by the reader's rule, so that the checkpoint is one that the journal leads to. There is
    no way back but a new build: what was counted would be counted twice. Raises BuildRefused for an offset that it has
    passed already, or that the journal does not reach, CheckpointMoved where a worker has moved it meanwhile, and
    JournalError.
    """
    old = store.stored(build.key).checkpoints.get(shard)
    start, end = 0 if old is None else old.next, journal.offsets(shard)[1]
    if not start < before <= end:
        raise BuildRefused(
            f"build {build.key.label} has read shard {shard} up to offset {start}, the journal ends at {end}, and it "
            f"was to go on at {before}: it can be let go on behind what it has read, up to that end. To hear again "
            f"what it has heard, rebuild the projection: rows that count would count twice"
        )
    reader = Reader(source.journal, shard, source.shards) if old is None else Reader.from_state(ReaderState(*old))
    for offset, value in journal.read(shard, start):
        if offset >= before:
            break
        reader.pass_over(offset, value)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    told = f"shard {shard}: offsets {start} to {before - 1}, at {now}. "
    store.write(Batch(build, [Move(old, Checkpoint(*reader.state))], passed_over=told))

"""The check of the journal: its chain, walked by the reader's rule, against what the tables and the feed say of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from demo.log import Log
from shardlog.journal.reader import FrameTaken, Invalid, Reader
from shardlog.model.projection import Projection
from shardlog.ports.checkpoints import Checkpoint
from shardlog.projector.choosing import served_stored
from shardlog.wiring.stores import ProjectionDatabase

_entries = msgspec.json.Decoder(tuple[msgspec.Raw, msgspec.Raw, list[msgspec.Raw]]).decode
"""A frame's time, inputs and entries; the entries are told apart, and not looked into."""


class Chain(NamedTuple):
    """What a walk over a journal found.

    frames, entries: of all shards. invalid: records that do not count. heads: by shard, the chain's head in front of
    the offset that was asked for, None where the log does not reach it.
    """

    frames: int
    entries: int
    invalid: int
    heads: dict[int, str | None]


class Walk(NamedTuple):
    """A walk that a projection was held against. differences: as text, a line each."""

    chain: Chain
    differences: list[str]


def chain_differences(log: Log, database: ProjectionDatabase, projection: Projection, commands: int) -> Walk:
    """Walk every shard, and hold it against the projection's checkpoints and the number of commands that were fed.

    database: of the projection's tables. Raises Corrupt, Diverged or UnknownFormat where the walk itself cannot go on.
    """
    checkpoints = checkpoints_of(database, projection)
    chain = walk_chain(log, {shard: held.next for shard, held in checkpoints.items()})
    differences = [
        f"shard {shard}: projection {projection.name!r} stands at offset {held.next} with head {held.head}, and the "
        f"chain {'does not reach that far' if chain.heads[shard] is None else f'has head {chain.heads[shard]} there'}"
        for shard, held in sorted(checkpoints.items())
        if chain.heads[shard] != held.head
    ]
    differences += [
        f"shard {shard}: projection {projection.name!r} has no checkpoint, so nothing says that it was read"
        for shard in range(log.shards)
        if shard not in checkpoints
    ]
    if chain.entries != commands:
        differences.append(f"the frames hold {chain.entries:,} entries, and {commands:,} commands were fed")
    return Walk(chain, differences)


def walk_chain(log: Log, places: Mapping[int, int]) -> Chain:
    """Read every record of every shard. places: by shard, the offset in front of which the head is wanted."""
    frames = entries = invalid = 0
    heads: dict[int, str | None] = {}
    for shard in range(log.shards):
        reader, place = Reader(log.id, shard, log.shards), places.get(shard)
        heads[shard] = reader.head if place == 0 else None
        for offset, value in log.journal.read(shard, 0):
            verdict: Any = reader.pass_over(offset, value)
            if type(verdict) is FrameTaken:
                frames += 1
                entries += entries_of(verdict.body)
            invalid += isinstance(verdict, Invalid)
            if reader.position == place:
                heads[shard] = reader.head
    return Chain(frames, entries, invalid, heads)


def entries_of(body: bytes | memoryview) -> int:
    """How many commands a frame holds."""
    return len(_entries(body)[2])


def checkpoints_of(database: ProjectionDatabase, projection: Projection) -> Mapping[int, Checkpoint]:
    """Where a projection's tables stand, by shard."""
    store = database.open_store()
    try:
        return served_stored(store, projection).checkpoints
    finally:
        store.close()

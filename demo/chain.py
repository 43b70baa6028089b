"""The check of the journal: its chain, walked by the reader's rule, against what the tables and the feed say of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from shardlog.adapters.sql.store import SqlProjectionStore
from shardlog.adapters.sqlite.control import read_meta
from shardlog.adapters.sqlite.journal import SqliteJournal
from shardlog.journal.reader import FrameTaken, Invalid, Reader
from shardlog.model.projection import Projection
from shardlog.ports.checkpoints import Checkpoint

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


def chain_differences(directory: Path, projection: Projection, commands: int) -> tuple[Chain, list[str]]:
    """Walk every shard, and hold it against the projection's checkpoints and the number of commands that were fed.

    Returns what was found, and the differences as text, a line each. Raises Corrupt, Diverged or UnknownFormat where
    the walk itself cannot go on.
    """
    checkpoints = _checkpoints(directory, projection)
    chain = walk_chain(directory, {shard: held.next for shard, held in checkpoints.items()})
    differences = [
        f"shard {shard}: projection {projection.name!r} stands at offset {held.next} with head {held.head}, and the "
        f"chain {'does not reach that far' if chain.heads[shard] is None else f'has head {chain.heads[shard]} there'}"
        for shard, held in sorted(checkpoints.items())
        if chain.heads[shard] != held.head
    ]
    differences += [
        f"shard {shard}: projection {projection.name!r} has no checkpoint, so nothing says that it was read"
        for shard in range(read_meta(directory).shards)
        if shard not in checkpoints
    ]
    if chain.entries != commands:
        differences.append(f"the frames hold {chain.entries:,} entries, and {commands:,} commands were fed")
    return chain, differences


def walk_chain(directory: Path, places: Mapping[int, int]) -> Chain:
    """Read every record of every shard. places: by shard, the offset in front of which the head is wanted."""
    meta = read_meta(directory)
    journal = SqliteJournal(directory, meta.shards)
    frames = entries = invalid = 0
    heads: dict[int, str | None] = {}
    try:
        for shard in range(meta.shards):
            reader, place = Reader(meta.journal, shard, meta.shards), places.get(shard)
            heads[shard] = reader.head if place == 0 else None
            for offset, value in journal.read(shard, 0):
                verdict: Any = reader.pass_over(offset, value)
                if type(verdict) is FrameTaken:
                    frames += 1
                    entries += len(_entries(verdict.body)[2])
                invalid += isinstance(verdict, Invalid)
                if reader.position == place:
                    heads[shard] = reader.head
    finally:
        journal.close()
    return Chain(frames, entries, invalid, heads)


def _checkpoints(directory: Path, projection: Projection) -> Mapping[int, Checkpoint]:
    store = SqlProjectionStore(directory / "projections.sqlite")
    try:
        return store.stored(projection).checkpoints
    finally:
        store.close()

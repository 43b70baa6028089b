"""How far a reader has read a shard, and how that place moves (PROTOCOL C1): stored by all who begin again there."""

from __future__ import annotations

from typing import NamedTuple


class Checkpoint(NamedTuple):
    """How far a reader has read one shard: the reader's state after the record before `next`.

    journal: its id. head: the chain's head, 32 bytes as lower case hex. seq and epoch: of the last valid record; 0
    before the first.
    """

    journal: str
    shard: int
    shards: int
    next: int
    epoch: int
    nonce: str
    seq: int
    head: str


class Move(NamedTuple):
    """A checkpoint's way: from `old` (None: it is the first) to `new`, refused where the stored one is not `old`."""

    old: Checkpoint | None
    new: Checkpoint

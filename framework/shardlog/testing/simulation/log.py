"""The rule of the log, written a second time and as plainly as can be: what the checker takes for history.

It shares no code with `shardlog.journal`, so that a mistake there cannot hide itself.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, NamedTuple


class ValidFrame(NamedTuple):
    """A frame that counts. body: [TIME, INPUTS, ENTRIES]."""

    offset: int
    epoch: int
    seq: int
    body: list[Any]


def valid_frames(journal: str, shard: int, shards: int, values: Sequence[bytes]) -> list[ValidFrame]:
    """The frames of a shard that count, in order (PROTOCOL R1 to R3)."""
    start = f'["shardlog",1,"head","{journal}",{shard},{shards}]'
    head = blake2b(start.encode(), digest_size=32).digest()
    epoch, nonce, seq = 0, "", 0
    frames: list[ValidFrame] = []
    for offset, value in enumerate(values):
        fields = _fields(value)
        if fields is None or fields[3:6] != [journal, shard, shards]:
            continue
        kind, (its_epoch, its_nonce, its_seq, prev, body) = fields[2], fields[6:]
        if kind == "claim" and its_epoch == epoch + 1:
            epoch, nonce, seq = its_epoch, its_nonce, 0
        elif kind == "frame" and (its_epoch, its_nonce, its_seq, prev) == (epoch, nonce, seq + 1, head.hex()):
            seq += 1
            frames.append(ValidFrame(offset, epoch, seq, body))
        else:
            continue
        head = blake2b(head + value, digest_size=32).digest()
    return frames


def _fields(value: bytes) -> list[Any] | None:
    try:
        fields = json.loads(value)
    except ValueError:
        return None
    is_record = isinstance(fields, list) and len(fields) == 11 and fields[:2] == ["shardlog", 1]
    return fields if is_record else None

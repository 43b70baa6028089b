"""The state digest: one number for all streams of a shard, whatever the order in which they are looked at.

The sum, modulo 2^256, of blake2b-256 of `[category, id, version, state]` as JSON with sorted keys, read big-endian.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any

from shardlog.codec.json import encode_sorted
from shardlog.snapshots.slot import Slot

_MODULUS = 1 << 256


def digest_sum(category: str, streams: Mapping[str, Slot[Any]]) -> int:
    """What these streams of one category add to the digest."""
    encode, hash, number = encode_sorted, blake2b, int.from_bytes
    total = 0
    for id, slot in streams.items():
        total += number(hash(encode((category, id, slot.version, slot.state)), digest_size=32).digest(), "big")
    return total


def digest_text(total: int) -> str:
    """The digest of a sum over all streams: 64 hex digits."""
    return f"{total % _MODULUS:064x}"


def state_digest(streams: Iterable[tuple[str, Mapping[str, Slot[Any]]]]) -> str:
    """The digest of live or loaded state: pairs of a category and some of its streams, each stream in one of them."""
    return digest_text(sum(digest_sum(category, some) for category, some in streams))

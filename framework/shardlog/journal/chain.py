"""The chain of valid records: a head that each of them moves, so that a frame can say what it follows.

blake2b-256 throughout. An invalid record leaves the head as it was.
"""

from __future__ import annotations

from hashlib import blake2b

HEAD_BYTES = 32


def head0(journal: str, shard: int, shards: int) -> bytes:
    """The head before the first valid record of a shard, 32 bytes."""
    return blake2b(
        b'["shardlog",1,"head","%b",%d,%d]' % (journal.encode(), shard, shards), digest_size=HEAD_BYTES
    ).digest()


def next_head(head: bytes, value: bytes) -> bytes:
    """The head after a valid record whose value, as appended and uncompressed, is this one; 32 bytes."""
    digest = blake2b(head, digest_size=HEAD_BYTES)
    digest.update(value)
    return digest.digest()


def value_digest(value: bytes) -> str:
    """blake2b-256 of a value in hex: what a snapshot's anchor names a record by (rule S1)."""
    return blake2b(value, digest_size=HEAD_BYTES).hexdigest()

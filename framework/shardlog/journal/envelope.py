"""The envelope of a record: who wrote it, where it belongs and what it follows. Built and read as bytes, never parsed.

`["shardlog",1,KIND,JOURNAL,SHARD,SHARDS,EPOCH,NONCE,SEQ,PREV,BODY]`, exactly as `msgspec.json.encode` writes it: no
white space, integers from 0 to 2^53-1 without leading zeros, hex in lower case. A claim has SEQ 0 and PREV "".
"""

from __future__ import annotations

import re
from typing import NamedTuple

FORMAT = 1
INTEGER_MAX = 2**53 - 1
_JOURNAL = rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_INTEGER = rb"0|[1-9][0-9]{0,15}"
_POSITIVE = rb"[1-9][0-9]{0,15}"
_HEX_32 = rb"[0-9a-f]{32}"
_HEX_64 = rb"[0-9a-f]{64}"

ENVELOPE = re.compile(
    rb'\["shardlog",1,"(?:(?P<claim>claim)|frame)",'
    rb'"(?P<journal>%b)",(?P<shard>%b),(?P<shards>%b),(?P<epoch>%b),"(?P<nonce>%b)",'
    rb'(?P<seq>(?(claim)0|%b)),"(?P<prev>(?(claim)|%b))",'
    % (_JOURNAL, _INTEGER, _POSITIVE, _POSITIVE, _HEX_32, _POSITIVE, _HEX_64)
)
"""What stands before BODY. A claim's SEQ is 0 and its PREV is empty; a frame's are not."""

_match_format = re.compile(rb'\["shardlog",(%b),' % _INTEGER).match
_match_envelope = ENVELOPE.match
_is_journal = re.compile(_JOURNAL.decode()).fullmatch
_is_nonce = re.compile(_HEX_32.decode()).fullmatch


class Envelope(NamedTuple):
    """The fields as they stand in the record, as bytes without quotes. body: where BODY begins."""

    is_claim: bool
    journal: bytes
    shard: bytes
    shards: bytes
    epoch: bytes
    nonce: bytes
    seq: bytes
    prev: bytes
    body: int


def format_of(value: bytes) -> int | None:
    """The format version of a record of any format; None for bytes that are no record of shardlog."""
    match = _match_format(value)
    if match is None:
        return None
    version = int(match[1])
    return version if version <= INTEGER_MAX else None


def envelope_of(value: bytes) -> Envelope | None:
    """The envelope of a record of format 1; None where the bytes hold none."""
    match = _match_envelope(value)
    if match is None:
        return None
    claim, journal, shard, shards, epoch, nonce, seq, prev = match.groups()
    if max(int(shard), int(shards), int(epoch), int(seq)) > INTEGER_MAX:
        return None
    return Envelope(claim is not None, journal, shard, shards, epoch, nonce, seq, prev, match.end())


def body_of(value: bytes) -> memoryview:
    """The body of a record that is known to be valid. Raises ValueError for bytes without an envelope."""
    match = _match_envelope(value)
    if match is None:
        raise ValueError(f"{value[:80]!r} has no envelope of format 1")
    return memoryview(value)[match.end() : -1]


def frame_prefix(journal: str, shard: int, shards: int, epoch: int, nonce: str) -> bytes:
    """What every frame of one claim begins with; SEQ and PREV follow."""
    return b'["shardlog",1,"frame","%b",%d,%d,%d,"%b",' % (journal.encode(), shard, shards, epoch, nonce.encode())


def frame_value(prefix: bytes, seq: int, prev: str, *body: bytes) -> bytes:
    """A frame's record. prefix: of `frame_prefix`. prev: the head that it follows, 64 hex digits.

    body: whole, or in pieces between which commas are to stand.
    """
    pieces = [*body]
    pieces[0] = b'%b%d,"%b",%b' % (prefix, seq, prev.encode(), pieces[0])
    pieces[-1] += b"]"
    return b",".join(pieces)


def claim_value(journal: str, shard: int, shards: int, epoch: int, nonce: str, body: bytes) -> bytes:
    """A claim's record. Raises ValueError for a nonce that is not 32 hex digits in lower case."""
    if _is_nonce(nonce) is None:
        raise ValueError(f"a nonce is 32 hex digits in lower case, not {nonce!r}")
    return b'["shardlog",1,"claim","%b",%d,%d,%d,"%b",0,"",%b]' % (
        journal.encode(),
        shard,
        shards,
        epoch,
        nonce.encode(),
        body,
    )


def check_address(journal: str, shard: int, shards: int) -> None:
    """Refuse what cannot stand in an envelope. Raises ValueError."""
    if _is_journal(journal) is None:
        raise ValueError(f"a journal's id is a UUID in lower case, 36 characters, not {journal!r}")
    if not 0 <= shard < shards:
        raise ValueError(f"shard {shard} is not one of {shards}: shards are numbered from 0")


ENVELOPE_BYTES_MAX = len(
    frame_value(frame_prefix("0" * 36, INTEGER_MAX, INTEGER_MAX, INTEGER_MAX, "0" * 32), INTEGER_MAX, "0" * 64, b"")
)
"""Bytes that an envelope adds to a body at most."""

"""The journal's meta record: what the journal was made for, so that a start that disagrees is refused.

`["shardlog",1,"meta",JOURNAL,NAME,TIME,SHARDS,"murmur2",[[CATEGORY,ROUTING_PARTS],...]]`, categories sorted; 0 routing
parts stand for the whole id.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NoReturn

import msgspec

from shardlog.errors import JournalMismatch
from shardlog.journal.envelope import FORMAT, check_address, format_of
from shardlog.journal.records import Count
from shardlog.sharding import HASH_NAME

META_KEY = "meta"


class Meta(msgspec.Struct, frozen=True):
    """What a journal was made for.

    journal: its id, a UUID. name: for people and topics. time: when it was made, microseconds since 1970 UTC.
    categories: routing parts by category, 0 for the whole id. hash: of routing keys.
    """

    journal: str
    name: str
    time: int
    shards: int
    categories: Mapping[str, int]
    hash: str = HASH_NAME


class _Record(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    magic: Literal["shardlog"]
    format: Literal[1]
    kind: Literal["meta"]
    journal: str
    name: str
    time: Count
    shards: Count
    hash: str
    categories: list[tuple[str, Count]]


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Record).decode


def encode_meta(meta: Meta) -> bytes:
    """The meta record's bytes."""
    categories = sorted(meta.categories.items())
    return _encode(
        _Record("shardlog", 1, "meta", meta.journal, meta.name, meta.time, meta.shards, meta.hash, categories)
    )


def decode_meta(value: bytes) -> Meta:
    """The meta record of these bytes. Raises JournalMismatch for another format and for what is no meta record."""
    version = format_of(value)
    if version is not None and version != FORMAT:
        raise JournalMismatch(
            f"the journal's meta record is of format {version}, and this code reads format {FORMAT}: "
            "deploy code that reads it"
        )
    try:
        record = _decode(value)
        check_address(record.journal, 0, record.shards)
    except (msgspec.DecodeError, ValueError) as error:
        raise JournalMismatch(
            f"the journal's meta record is none of format {FORMAT} ({error}): "
            f"restore it from a backup; it begins {value[:60]!r}"
        ) from error
    return Meta(record.journal, record.name, record.time, record.shards, dict(record.categories), record.hash)


def merge_meta(stored: Meta, at_hand: Meta) -> Meta:
    """The stored record with the categories added that it lacks; `stored` itself where it lacks none.

    The name and the time stay as stored. Raises JournalMismatch where journal id, shards, hash or a category's routing
    parts differ.
    """
    if at_hand.journal != stored.journal:
        _refuse("id", stored.journal, at_hand.journal, "name the right journal, or start an empty one elsewhere")
    if at_hand.shards != stored.shards:
        _refuse("number of shards", stored.shards, at_hand.shards, "set it back: every id would move to another shard")
    if at_hand.hash != stored.hash:
        _refuse("hash of routing keys", stored.hash, at_hand.hash, "use code that hashes so")
    for category, parts in at_hand.categories.items():
        if stored.categories.get(category, parts) != parts:
            step = "set them back (0 is the whole id), or give the aggregate another category"
            _refuse(f"routing parts of category {category!r}", stored.categories[category], parts, step)
    added = {name: parts for name, parts in at_hand.categories.items() if name not in stored.categories}
    if not added:
        return stored
    return msgspec.structs.replace(stored, categories=dict(sorted({**stored.categories, **added}.items())))


def settled_meta(first: bytes, later: bytes) -> bytes:
    """Which meta record counts where `later` was written behind `first`.

    Of two journals that were made at once it is the first, for everybody who reads from the beginning; of one journal
    it has the categories of both. Where one of the two does not decode, it is the later one: whoever reads it says so.
    """
    try:
        known, added = decode_meta(first), decode_meta(later)
    except JournalMismatch:
        return later
    if known.journal != added.journal:
        return first
    try:
        merged = merge_meta(known, added)
    except JournalMismatch:
        return first
    return first if merged is known else encode_meta(merged)


def _refuse(what: str, stored: object, at_hand: object, step: str) -> NoReturn:
    raise JournalMismatch(f"the journal's {what}: {stored!r} there, {at_hand!r} at hand; {step}")

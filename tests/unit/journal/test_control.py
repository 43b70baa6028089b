"""The meta record: additions are taken, and whatever disagrees is refused with both values and the next step."""

from __future__ import annotations

import msgspec
import pytest

from shardlog.errors import JournalMismatch
from shardlog.journal.control import Meta, decode_meta, encode_meta, merge_meta, settled_meta

JOURNAL = "018f3c2e-7b1a-7c3d-9e4f-5a6b7c8d9e0f"
OTHER = "11111111-2222-4333-8444-555555555555"
STORED = Meta(JOURNAL, "acme", 5, 4, {"account": 1, "cart": 0})


def test_what_is_encoded_is_decoded() -> None:
    assert decode_meta(encode_meta(STORED)) == STORED


def test_categories_are_sorted_in_the_record() -> None:
    turned = msgspec.structs.replace(STORED, categories={"cart": 0, "account": 1})
    assert encode_meta(turned) == encode_meta(STORED)
    assert b'[["account",1],["cart",0]]' in encode_meta(STORED)


def test_merging_what_agrees_gives_the_stored_record() -> None:
    assert merge_meta(STORED, msgspec.structs.replace(STORED, name="other", time=9)) is STORED


def test_merging_adds_categories_that_are_new_and_keeps_those_that_are_gone() -> None:
    merged = merge_meta(STORED, msgspec.structs.replace(STORED, categories={"booking": 2}))
    assert dict(merged.categories) == {"account": 1, "booking": 2, "cart": 0}
    assert (merged.journal, merged.name, merged.time, merged.shards) == (JOURNAL, "acme", 5, 4)


def test_of_two_journals_under_one_key_the_first_counts() -> None:
    first = encode_meta(STORED)
    assert settled_meta(first, encode_meta(msgspec.structs.replace(STORED, journal=OTHER))) == first
    assert settled_meta(first, encode_meta(msgspec.structs.replace(STORED, shards=8))) == first


def test_of_two_records_of_one_journal_all_categories_count() -> None:
    first = encode_meta(STORED)
    later = msgspec.structs.replace(STORED, name="other", categories={"booking": 2})
    settled = decode_meta(settled_meta(first, encode_meta(later)))
    assert settled == merge_meta(STORED, later)
    grown = encode_meta(settled)
    assert settled_meta(first, grown) == grown, "what holds all of it is the record that counts, to the byte"


def test_a_record_that_does_not_decode_leaves_the_later_one() -> None:
    assert settled_meta(b"garbage", encode_meta(STORED)) == encode_meta(STORED)
    assert settled_meta(encode_meta(STORED), b"garbage") == b"garbage"


@pytest.mark.parametrize(
    ("at_hand", "named"),
    [
        ({"journal": OTHER}, (JOURNAL, OTHER, "id")),
        ({"shards": 8}, ("4", "8", "number of shards")),
        ({"hash": "crc32"}, ("murmur2", "crc32", "hash")),
        ({"categories": {"account": 0}}, ("1", "0", "'account'", "routing parts")),
    ],
)
def test_what_disagrees_is_refused_with_both_values(at_hand: dict[str, object], named: tuple[str, ...]) -> None:
    with pytest.raises(JournalMismatch) as caught:
        merge_meta(STORED, msgspec.structs.replace(STORED, **at_hand))
    for text in named:
        assert text in str(caught.value)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"hello",
        b'["shardlog",1,"frame"]',
        encode_meta(STORED)[:-1],
        encode_meta(STORED).replace(b",4,", b",0,"),
        encode_meta(STORED).replace(JOURNAL.encode(), b"acme"),
        encode_meta(STORED)[:-1] + b",0]",
    ],
)
def test_what_is_no_meta_record_is_refused(value: bytes) -> None:
    with pytest.raises(JournalMismatch, match=r"restore it"):
        decode_meta(value)


def test_a_meta_record_of_another_format_is_refused() -> None:
    with pytest.raises(JournalMismatch, match=r"format 2.*deploy"):
        decode_meta(encode_meta(STORED).replace(b'["shardlog",1,', b'["shardlog",2,'))

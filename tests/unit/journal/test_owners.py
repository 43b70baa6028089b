"""Assignment and owner records: their bytes, and what is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shardlog.errors import JournalMismatch
from shardlog.journal.owners import (
    Announcement,
    Assignment,
    assignment_key,
    decode_announcement,
    decode_assignment,
    encode_announcement,
    encode_assignment,
    owner_key,
)

JOURNAL = "018f3c2e-7b1a-7c3d-9e4f-5a6b7c8d9e0f"
ASSIGNMENT = Assignment(JOURNAL, 17, 3, "executor-1")
ANNOUNCEMENT = Announcement(JOURNAL, 17, 5, "executor-1", "10.0.0.7:8421")
RELEASE = Announcement(JOURNAL, 17, 5, "", "")
ASSIGNMENT_BYTES = b'["shardlog",1,"assignment","018f3c2e-7b1a-7c3d-9e4f-5a6b7c8d9e0f",17,3,"executor-1"]'
ANNOUNCEMENT_BYTES = b'["shardlog",1,"owner","018f3c2e-7b1a-7c3d-9e4f-5a6b7c8d9e0f",17,5,"executor-1","10.0.0.7:8421"]'


def test_an_assignment_has_these_bytes() -> None:
    assert assignment_key(17) == "assignment/17"
    assert encode_assignment(ASSIGNMENT) == ASSIGNMENT_BYTES
    assert decode_assignment(ASSIGNMENT_BYTES) == ASSIGNMENT


def test_an_announcement_has_these_bytes() -> None:
    assert owner_key(17) == "owner/17"
    assert encode_announcement(ANNOUNCEMENT) == ANNOUNCEMENT_BYTES
    assert decode_announcement(ANNOUNCEMENT_BYTES) == ANNOUNCEMENT
    assert not ANNOUNCEMENT.is_release


def test_a_release_names_nobody() -> None:
    assert encode_announcement(RELEASE).endswith(b',17,5,"",""]')
    assert decode_announcement(encode_announcement(RELEASE)).is_release


@pytest.mark.parametrize("decode", [decode_assignment, decode_announcement])
@pytest.mark.parametrize("change", ["empty", "cut", "longer", "other kind", "no journal", "other format"])
def test_what_is_no_such_record_is_refused_with_the_next_step(decode: Callable[[bytes], object], change: str) -> None:
    own = ASSIGNMENT_BYTES if decode is decode_assignment else ANNOUNCEMENT_BYTES
    other = ANNOUNCEMENT_BYTES if decode is decode_assignment else ASSIGNMENT_BYTES
    changed = {
        "empty": b"",
        "cut": own[:-1],
        "longer": own[:-1] + b",0]",
        "other kind": other,
        "no journal": own.replace(JOURNAL.encode(), b"acme"),
        "other format": own.replace(b'["shardlog",1,', b'["shardlog",2,'),
    }[change]
    with pytest.raises(JournalMismatch, match="deploy code" if change == "other format" else "write it anew"):
        decode(changed)

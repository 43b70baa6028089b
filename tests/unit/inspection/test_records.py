"""What is said of a shard's records: frames and claims in words, and why the others do not count."""

from __future__ import annotations

import pytest

from shardlog.adapters.memory.journal import MemoryJournal
from shardlog.errors import Diverged, UnknownFormat
from shardlog.inspection.records import SeenRecord, entries, records, why_invalid
from shardlog.journal.reader import REASONS, Reader
from tests.unit.journal.driven_shard import JOURNAL, SHARDS, claim, frame, reader_at

FIRST = claim(1, 1)
STATE = reader_at(FIRST).state
INVALID = {
    "foreign": b"hello",
    "malformed": b'["shardlog",1,"frame",true]',
    "journal": frame(STATE, journal="018f3c2e-7b1a-7c3d-9e4f-000000000000"),
    "shard": frame(STATE, shard=1),
    "shards": frame(STATE, shards=9),
    "epoch": frame(STATE, epoch=7),
    "nonce": frame(STATE, number=2),
    "seq": frame(STATE, seq=3),
}


def seen(*values: bytes) -> tuple[list[SeenRecord], Reader]:
    """What is said of a shard with these values, up to what must stop a reader."""
    journal = MemoryJournal(SHARDS)
    writer = journal.writer(0)
    for value in values:
        writer.append(value, lambda _report: None)
    reader = Reader(JOURNAL, 0, SHARDS)
    return list(records(journal, reader)), reader


def test_the_reasons_here_are_all_that_there_are() -> None:
    assert set(INVALID) == set(REASONS)


@pytest.mark.parametrize(("reason", "value"), INVALID.items())
def test_what_is_invalid_is_shown_with_the_reader_s_reason(reason: str, value: bytes) -> None:
    (_, record), reader = seen(FIRST, value)
    assert (record.kind, record.reason, record.offset) == ("invalid", reason, 1)
    assert why_invalid(record, reader).startswith(("it ", "these bytes "))


def test_an_invalid_record_is_shown_with_the_place_that_it_claims() -> None:
    (_, record), reader = seen(FIRST, INVALID["seq"])
    assert (record.epoch, record.seq) == (1, 3)
    assert "it is number 3 of its epoch, and 1 is next" in why_invalid(record, reader)


def test_claims_and_frames_are_decoded_without_the_domain_s_classes() -> None:
    (one, two), _ = seen(FIRST, frame(STATE, "apple"))
    assert one.claim is not None
    assert (one.kind, one.epoch, one.seq, one.claim.owner) == ("claim", 1, 0, "owner")
    assert two.frame is not None
    (entry,) = entries(two.frame)
    assert (two.kind, two.seq, entry.index, entry.outcome) == ("frame", 1, 0, "undecodable")
    assert entry.message == "feeder:test:0, offset 0: apple"


@pytest.mark.parametrize(
    ("value", "error"),
    [(frame(STATE, prev="0" * 64), Diverged), (b'["shardlog",2,"frame"]', UnknownFormat)],
)
def test_what_must_stop_a_reader_stops_here_too(value: bytes, error: type[Exception]) -> None:
    with pytest.raises(error, match="offset 1"):
        seen(FIRST, value)

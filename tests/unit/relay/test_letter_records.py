"""A dead letter's record has a bounded size, whatever the original is."""

from __future__ import annotations

import msgspec

from shardlog import Position
from shardlog.ports.originals import Original
from shardlog.ports.outputs import OutputRecord
from shardlog.ports.relay import CommandDeadLetter
from shardlog.relay.letter_records import HEADER_OVERHEAD_BYTES, LETTER_OVERHEAD_BYTES_MAX, letter_record

LONG = 500_000
TEXTS = [
    name
    for name, kind in CommandDeadLetter.__annotations__.items()
    if kind == "str" and name not in ("payload", "state", "input")
]


def letter(**fields: object) -> CommandDeadLetter:
    position = Position("0d9ab5de-9d0b-4b57-8d6f-6a4a7f6b6a11", 3, 2**53, 2**53)
    made = CommandDeadLetter(position=position, code="undecodable", message="no", time=1_700_000_000_000_000)
    return msgspec.structs.replace(made, **fields)


def beside_value(record: OutputRecord) -> int:
    headers = sum(len(name.encode()) + len(text) + HEADER_OVERHEAD_BYTES for name, text in record.headers)
    return headers + len(record.key or b"")


def test_key_headers_and_texts_are_cut_and_it_is_said_how_long_they_were() -> None:
    long = letter(**dict.fromkeys(TEXTS, "x" * LONG), input="i" * LONG, input_offset=2**53)
    for original in (
        Original(b"v" * LONG, b"k" * LONG, [("é" * LONG, b"1"), ("a", b"h" * LONG)]),
        Original(b"v" * LONG, b"k" * LONG, [(f"{n}", b"") for n in range(10_000)]),
        Original(b"v" * LONG, b"k" * LONG, [(f"{n}", b"x" * 100) for n in range(10_000)]),
        Original(b"v" * LONG, b"k" * LONG, headers_unread="z" * LONG),
        None,
    ):
        record = letter_record(long, original, b"key" * LONG, 1_000)
        assert len(record.value or b"") <= 1_000
        assert beside_value(record) <= LETTER_OVERHEAD_BYTES_MAX
        headers = dict(record.headers)
        assert int(headers["dead-letter-key-bytes"]) in (LONG, 3 * LONG)
        assert f"message={LONG}".encode() in headers["dead-letter-cut-texts"]
        if original is not None:
            assert headers["dead-letter-bytes"] == b"%d" % LONG
            assert headers["dead-letter-original-headers"]


def test_what_is_short_is_kept_whole() -> None:
    headers = [("a", b"1"), ("b", None), ("a", b"2")]
    record = letter_record(letter(), Original(b"value", b"key", headers), b"", 1_000)
    assert (record.key, record.value) == (b"key", b"value")
    assert [pair for pair in record.headers if pair[0].startswith("original-")] == [
        ("original-a", b"1"),
        ("original-b", b""),
        ("original-a", b"2"),
    ]
    assert {name for name, _ in record.headers if name.startswith("dead-letter-")} == {
        "dead-letter-code",
        "dead-letter-message",
        "dead-letter-position",
        "dead-letter-time",
    }

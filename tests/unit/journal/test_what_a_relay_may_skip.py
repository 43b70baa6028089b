"""Which frames a relay need not decode: told by their bytes, and never wrong about one that holds something."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from shardlog.journal.envelope import frame_prefix, frame_value
from shardlog.journal.records import Rejected, Unreadable, decode_raw_frame, frame_pieces
from shardlog.journal.sends import may_concern_a_relay, numbered_sends

PREFIX = frame_prefix("0d9ab5de-9d0b-4b57-8d6f-6a4a7f6b6a11", 0, 4, 1, "ab" * 16)
TEXT = st.sampled_from(["", '["r","', "null]]]", "]]]]]]]", '["f","', '"', "\\", "a"]) | st.text(max_size=5)
JSON = st.recursive(
    st.none() | st.integers(0, 9) | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner),
    max_leaves=5,
)
PREVIOUS = st.none() | st.tuples(*[st.integers(1, 9)] * 3)
SENDS = st.lists(st.tuples(TEXT, TEXT, TEXT, TEXT, JSON, st.integers(0, 3), PREVIOUS), max_size=2)
ORIGIN = st.none() | st.tuples(TEXT, *[st.integers(1, 9)] * 4, PREVIOUS)
EVENTS = st.lists(st.tuples(TEXT, TEXT, st.integers(1, 9), st.dictionaries(TEXT, JSON, max_size=2)), max_size=2)
HEADER = (
    TEXT,
    TEXT,
    TEXT,
    TEXT,
    TEXT,
    TEXT,
    st.just("local"),
    TEXT,
    TEXT,
    TEXT,
    st.none(),
    st.integers(0, 9),
    ORIGIN,
    TEXT,
)
ENTRY = st.one_of(
    st.tuples(st.just("a"), *HEADER, EVENTS, SENDS),
    st.tuples(st.just("a"), *HEADER, EVENTS, st.just([])),
    st.tuples(
        st.just("r"), *HEADER, TEXT, TEXT, st.none(), JSON, st.none() | st.tuples(TEXT, st.integers(0, 9)), SENDS
    ),
    st.tuples(st.just("f"), TEXT, st.integers(0, 9), st.integers(0, 3), PREVIOUS),
    st.tuples(st.just("x"), TEXT, st.integers(0, 9), TEXT, TEXT),
)


def framed(entries: list[tuple[Any, ...]]) -> bytes:
    """A frame's record."""
    return frame_value(
        PREFIX, 1, "0" * 64, *frame_pieces(5, {"feeder:f:1": 1}, [msgspec.json.encode(e) for e in entries])
    )


@given(st.lists(ENTRY, max_size=4))
def test_a_frame_that_is_skipped_holds_nothing_for_a_relay(entries: list[tuple[Any, ...]]) -> None:
    value = framed(entries)
    body = decode_raw_frame(framed(entries)[value.index(b'"' + b"0" * 64 + b'",') + 67 : -1])
    holds = any(True for _ in numbered_sends(body)) or any(isinstance(e, Rejected | Unreadable) for e in body.entries)
    assert may_concern_a_relay(value) or not holds


def test_a_usual_frame_is_skipped() -> None:
    header = ("account", "a:1", "deposit", "c", "", "", "local", "", "", "", None, 5, None, "")
    usual = ("a", *header, [("account/deposited/1", "a:1", 1, {"amount": 5})], [])
    assert not may_concern_a_relay(framed([usual, usual]))
    assert not may_concern_a_relay(framed([]))
    assert may_concern_a_relay(framed([usual, (*usual[:-1], [("m", "account", "a:2", "receive", {}, 1, None)]), usual]))
    assert may_concern_a_relay(framed([usual, (*usual[:-1], [("m", "account", "a:2", "receive", {}, 1, (1, 2, 0))])]))

"""What a foreign producer may send costs no process and no memory."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone

import pytest

from shardlog import AwareDatetime, Event
from shardlog.avro.framing import framed, unframed
from shardlog.avro.messages import MessageAvro
from shardlog.errors import PayloadUnreadable, PayloadUnwritable
from tests.unit.avro.zoo import Chain, Nothing


class Shelf(Event):
    nothings: tuple[Nothing, ...] = ()
    names: tuple[str, ...] = ()
    counts: Mapping[str, int] = {}
    at: AwareDatetime = datetime(2026, 1, 1, tzinfo=UTC)


SHELF = MessageAvro("zoo", Shelf)
CHAIN = MessageAvro("zoo", Chain)


def number(value: int) -> bytes:
    """A long in Avro."""
    value = (value << 1) ^ (value >> 63)
    found = b""
    while value > 127:
        found += bytes([(value & 127) | 128])
        value >>= 7
    return found + bytes([value])


def test_a_value_that_is_nested_a_million_times_is_refused_and_the_process_lives() -> None:
    with pytest.raises(PayloadUnreadable, match="RecursionError"):
        CHAIN.decode(b"\x02" * 1_000_000 + b"\0")


def test_a_value_that_is_nested_too_deep_to_be_written_is_refused() -> None:
    event = Chain()
    for _ in range(100_000):
        event = Chain(next=event)
    with pytest.raises(PayloadUnwritable, match="RecursionError"):
        CHAIN.encode(event)


@pytest.mark.parametrize(
    "data",
    [
        number(2**40),
        number(0) + number(2**40),
        number(0) + number(1) + number(2**40),
        number(0) * 2 + number(2**40),
        number(0) * 3 + number(2**62),
        number(0) * 3 + number(0) + b"more",
        b"",
        b"\xff" * 30,
    ],
)
def test_lengths_that_the_bytes_do_not_bear_out_are_refused(data: bytes) -> None:
    with pytest.raises(PayloadUnreadable, match="ShelfV1"):
        SHELF.decode(data)


def test_an_instant_beyond_the_calendar_in_utc_is_refused() -> None:
    first = datetime.min.replace(tzinfo=timezone(timedelta(hours=14)))
    with pytest.raises(PayloadUnwritable, match="OverflowError"):
        SHELF.encode(Shelf(at=first))


def test_an_integer_of_more_than_64_bits_is_refused_with_its_value() -> None:
    count = MessageAvro("zoo", type("Counted", (Event,), {"__annotations__": {"number": int}, "__module__": __name__}))
    with pytest.raises(PayloadUnwritable, match=f"{2**63} is beyond a long's 64 bits"):
        count.encode(count.message(number=2**63))
    assert count.decode(count.encode(count.message(number=-(2**63)))).number == -(2**63)


@pytest.mark.parametrize("value", [b"", b"\0", b"\0\0\0\0", b"{}", b"\x01\0\0\0\x01body"])
def test_what_is_not_framed_is_refused(value: bytes) -> None:
    with pytest.raises(PayloadUnreadable, match="no Avro in Confluent framing"):
        unframed(value)


def test_a_frame_of_an_empty_body_is_one() -> None:
    assert unframed(framed(7, b"")) == (7, b"")

"""A valid frame that does not decode is explained: which event of which stream, what is wrong with it, what to do."""

from __future__ import annotations

import msgspec
import pytest

from shardlog import Event
from shardlog.errors import UnknownFormat
from shardlog.journal.records import Accepted, FrameBody, RawEvent, event_record, frame_decoder
from shardlog.journal.undecoded import undecoded

SHARD, OFFSET = 3, 7


class Deposited(Event):
    amount: int


TYPES = (event_record("account", "deposited", 1, Deposited), event_record("account", "noted", 1, msgspec.Raw))


def body(*events: RawEvent) -> bytes:
    head = ("account", "a:1", "do", "c-1", "", "", "local", "", "", "", None, 0, None, "")
    return msgspec.json.encode(FrameBody(1, {}, [Accepted(*head, list(events), [])]))  # type: ignore[arg-type]  # C, flat


def event(version: int, data: bytes, type: str = "account/deposited/1") -> RawEvent:
    return RawEvent(type, "a:1", version, msgspec.Raw(data))


FINE = (event(1, b'{"amount":5}'), event(2, b'{"text":1}', "account/noted/1"))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (
            body(*FINE, event(3, b'{"amount":"five"}')),
            "account/a:1 version 3 is a 'account/deposited/1', which does not decode as Deposited: Expected `int`, got "
            "`str` - at `$.amount`. Either newer code wrote it: deploy that code. Or its class was changed",
        ),
        (
            body(*FINE, event(3, b"{}")),
            "version 3 is a 'account/deposited/1', which does not decode as Deposited: Object missing required field "
            "`amount`. Either newer code",
        ),
        (
            body(*FINE, event(3, b"{}", "account/deposited/2")),
            "version 3 is a 'account/deposited/2', for which this application has no class. "
            "Either newer code wrote it: deploy that code. Or its class was removed",
        ),
        (
            b"[1,{}]",
            "a valid frame does not decode as format 1: Expected `array` of at least length 3, got 2. This code is",
        ),
        (b'[1,{},["entry"]]', "does not decode as format 1: Expected `array`, got `str` - at `$[2][0]`. This code is"),
        (b'[1,{},[["x","\xff",1,"",""]]]', "a valid frame does not decode as format 1: 'utf-8' codec"),
    ],
)
def test_the_event_the_stream_the_field_and_both_causes_are_named(value: bytes, said: str) -> None:
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)) as caught:
        frame_decoder(TYPES)(value)
    error = undecoded(SHARD, OFFSET, value, TYPES, caught.value)
    assert isinstance(error, UnknownFormat)
    assert (error.shard, error.offset) == (SHARD, OFFSET)
    assert str(error).startswith("shard 3, offset 7: ")
    assert said in str(error)
    assert str(error).endswith("Nothing was skipped.")


def test_where_each_event_decodes_alone_the_decoders_own_words_are_kept() -> None:
    error = undecoded(SHARD, OFFSET, body(*FINE), TYPES, ValueError("as a whole it does not"))
    assert "a valid frame does not decode: as a whole it does not" in str(error)

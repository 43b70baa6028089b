"""The bytes in schemas/journal are what the code writes, and what it reads, to the byte."""

from __future__ import annotations

import json
from binascii import crc32
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shardlog.errors import Diverged, UnknownFormat
from shardlog.journal.chain import head0
from shardlog.journal.control import Meta, decode_meta, encode_meta
from shardlog.journal.envelope import body_of, claim_value, frame_prefix, frame_value
from shardlog.journal.reader import ClaimTaken, FrameTaken, Invalid, Reader, Verdict
from shardlog.journal.records import (
    Accepted,
    ClaimBody,
    Forwarded,
    FrameBody,
    Origin,
    RawEvent,
    Rejected,
    SendRecord,
    Unreadable,
    decode_claim,
    decode_raw_frame,
    encode_claim,
    encode_frame,
    entry_indexes,
    event_record,
    frame_decoder,
)
from shardlog.journal.sends import numbered_sends, send_command_id

SCHEMAS = Path(__file__).parents[3] / "schemas" / "journal"
JOURNAL = "018f3c2e-7b1a-7c3d-9e4f-5a6b7c8d9e0f"
NONCE = "000102030405060708090a0b0c0d0e0f"
HEAD_AFTER_CLAIM = "084247bff616e4b92a5fcae852e977e51ee5ef3c68eebdb5d255a2299c97e90c"
TOPIC = "kafka:acme.commands:dGhlIHRvcGljIGlkIQ"
FEEDER = "feeder:flights:9f86d081884c7d65"
FIRST_ID = "018f3c2e-8000-7000-8000-000000000001"
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def golden(name: str) -> bytes:
    return (SCHEMAS / name).read_bytes()


def raw(text: str) -> msgspec.Raw:
    return msgspec.Raw(text.encode())


def check(command: str, payload: str, expected_version: int | None = None, occurred_at: int | None = None) -> int:
    """As the format says it."""
    text = f"{command}\0{payload}"
    if (expected_version, occurred_at) != (None, None):
        text += "\0" + json.dumps([expected_version, occurred_at], separators=(",", ":"))
    return crc32(text.encode())


class Deposited(msgspec.Struct, forbid_unknown_fields=True):
    amount: int


class Audited(msgspec.Struct, forbid_unknown_fields=True):
    note: str


DEPOSITED = event_record("account", "deposited", 1, Deposited)
AUDITED = event_record("account", "audited", 2, Audited)
RECEIVED = event_record("account", "received", 1, Deposited)
GIVE_BACK = raw('{"amount":9}')


def entries() -> list[Accepted[Any] | Rejected | Forwarded | Unreadable]:
    """Every kind of entry, as they stand in frame.json."""
    return [
        Accepted(
            category="account",
            id="acme:alice",
            command="deposit",
            command_id=FIRST_ID,
            tenant="acme",
            actor="ann",
            channel="http",
            correlation="018f3c2e-7fff-7000-8000-000000000009",
            causation="018f3c2e-7fff-7000-8000-00000000000a",
            traceparent=TRACE,
            occurred_at=1715000000000000,
            check=check("deposit", '{"amount":500}', None, 1715000000000000),
            origin=None,
            reply_to="",
            events=[
                DEPOSITED("acme:alice", 7, Deposited(500)),
                AUDITED("acme:audit", 1, Audited('Zürich "☃"\n')),
            ],
            sends=[
                SendRecord(
                    "payments", "account", "bob:main", "receive", raw('{"amount":500,"from":"acme:alice"}'), 1, None
                ),
                SendRecord("payments", "account", "acme:fees", "collect", raw('{"amount":1}'), 2, (3, 9, 0)),
            ],
        ),
        Accepted(
            category="account",
            id="acme:alice",
            command="touch",
            command_id="t-1",
            tenant="",
            actor="",
            channel="local",
            correlation="",
            causation="",
            traceparent="",
            occurred_at=None,
            check=check("touch", "{}"),
            origin=None,
            reply_to="",
            events=[],
            sends=[],
        ),
        Accepted(
            category="account",
            id="acme:carol",
            command="receive",
            command_id=send_command_id(JOURNAL, 0, 5, 12, 3),
            tenant="acme",
            actor="payments",
            channel="manager",
            correlation=FIRST_ID,
            causation=FIRST_ID,
            traceparent="",
            occurred_at=None,
            check=check("receive", '{"amount":500}'),
            origin=Origin("payments", 0, 5, 12, 3, (5, 11, 0)),
            reply_to="",
            events=[RECEIVED("acme:carol", 1, Deposited(500))],
            sends=[],
        ),
        Rejected(
            category="account",
            id="acme:dave",
            command="receive",
            command_id=send_command_id(JOURNAL, 3, 1, 1, 0),
            tenant="acme",
            actor="payments",
            channel="manager",
            correlation="",
            causation="",
            traceparent="",
            occurred_at=None,
            check=check("receive", '{"amount":9}'),
            origin=Origin("payments", 3, 1, 1, 0, None),
            reply_to="",
            code="account_closed",
            message="the account is closed",
            details={"closed_at": 1714000000000000},
            payload=raw('{"amount":9}'),
            source=None,
            sends=[SendRecord("payments", "account", "acme:alice", "give_back", GIVE_BACK, 3, None)],
        ),
        Rejected(
            category="account",
            id="acme:erin",
            command="frobnicate",
            command_id="k-9",
            tenant="",
            actor="producer-7",
            channel="kafka",
            correlation="",
            causation="",
            traceparent="",
            occurred_at=None,
            check=check("frobnicate", "[]"),
            origin=None,
            reply_to="acme.replies",
            code="unknown_command",
            message="aggregate 'account' has no command 'frobnicate'",
            details=None,
            payload=raw("null"),
            source=(TOPIC, 41),
            sends=[],
        ),
        Forwarded(TOPIC, 42, 3, (1, 1, 2)),
        Unreadable(FEEDER, 7, "undecodable", "JSON is malformed: invalid character (byte 0)"),
    ]


def verdict_name(verdict: Verdict) -> str:
    if isinstance(verdict, Invalid):
        return verdict.reason
    return "claim" if isinstance(verdict, ClaimTaken) else "frame"


def history() -> list[bytes]:
    return golden("history.jsonl").split(b"\n")[:-1]


def test_a_claim_is_written_to_the_byte() -> None:
    body = encode_claim(
        ClaimBody("executor-2", "10.0.0.7:7000", 3, 1715000000000001, "b1946ac92492d2347c6235b4d2611184")
    )
    assert claim_value(JOURNAL, 2, 4, 1, NONCE, body) == golden("claim.json")


def test_a_claim_is_read() -> None:
    assert decode_claim(body_of(golden("claim.json"))) == ClaimBody(
        "executor-2", "10.0.0.7:7000", 3, 1715000000000001, "b1946ac92492d2347c6235b4d2611184"
    )


def test_a_frame_with_every_kind_of_entry_is_written_to_the_byte() -> None:
    encoded = [msgspec.json.encode(entry) for entry in entries()]
    body = encode_frame(1715000000000002, {TOPIC: 43, FEEDER: 8}, encoded)
    prefix = frame_prefix(JOURNAL, 2, 4, 1, NONCE)
    assert frame_value(prefix, 1, HEAD_AFTER_CLAIM, body) == golden("frame.json")


def test_a_frame_with_every_kind_of_entry_is_read_with_the_event_classes() -> None:
    frame = frame_decoder((DEPOSITED, AUDITED, RECEIVED))(body_of(golden("frame.json")))
    assert frame.time == 1715000000000002
    assert frame.inputs == {TOPIC: 43, FEEDER: 8}
    written = [msgspec.json.encode(entry) for entry in entries()]
    assert [msgspec.json.encode(entry) for entry in frame.entries] == written
    assert [type(entry) for entry in frame.entries] == [type(entry) for entry in entries()]
    assert frame.entries[0].events == entries()[0].events  # type: ignore[union-attr]  # the first one is accepted


def test_a_frame_is_read_without_any_event_class_and_its_bytes_come_back() -> None:
    value = golden("frame.json")
    frame: FrameBody[RawEvent] = decode_raw_frame(body_of(value))
    first = frame.entries[0]
    assert isinstance(first, Accepted)
    assert [(e.type, e.id, e.version) for e in first.events] == [
        ("account/deposited/1", "acme:alice", 7),
        ("account/audited/2", "acme:audit", 1),
    ]
    assert bytes(first.events[0].data) == b'{"amount":500}'
    assert msgspec.json.encode(frame) == bytes(body_of(value))


def test_a_frame_without_entries_is_written_and_read() -> None:
    value = golden("empty-frame.json")
    assert bytes(body_of(value)) == encode_frame(1715000000000002, {TOPIC: 44}, [])
    assert decode_raw_frame(body_of(value)) == FrameBody(1715000000000002, {TOPIC: 44}, [])


def test_the_meta_record_is_written_and_read() -> None:
    meta = Meta(JOURNAL, "acme", 1715000000000000, 4, {"cart": 0, "account": 1})
    assert encode_meta(meta) == golden("meta.json")
    assert decode_meta(golden("meta.json")) == meta


def test_every_verdict_and_head_of_the_history_is_as_written_down() -> None:
    reader = Reader(JOURNAL, 2, 4)
    told = [json.loads(line) for line in golden("verdicts.jsonl").splitlines()]
    found = [
        {
            "offset": offset,
            "verdict": verdict_name(reader.pass_over(offset, value)),
            "epoch": reader.epoch,
            "nonce": reader.nonce,
            "seq": reader.seq,
            "head": reader.head,
        }
        for offset, value in enumerate(history())
    ]
    assert found == told


@pytest.mark.parametrize(
    ("name", "error"), [("stops-unknown-format.json", UnknownFormat), ("stops-diverged.json", Diverged)]
)
def test_what_stops_a_reader_is_not_passed(name: str, error: type[Exception]) -> None:
    reader = Reader(JOURNAL, 2, 4)
    for offset, value in enumerate(history()):
        reader.pass_over(offset, value)
    before = reader.state
    with pytest.raises(error):
        reader.pass_over(19, golden(name))
    assert reader.state == before


def test_a_valid_frame_that_does_not_decode_is_valid_all_the_same() -> None:
    reader = Reader(JOURNAL, 2, 4)
    for offset, value in enumerate(history()):
        reader.pass_over(offset, value)
    verdict = reader.pass_over(19, golden("stops-undecodable.json"))
    assert isinstance(verdict, FrameTaken)
    with pytest.raises(msgspec.DecodeError):
        decode_raw_frame(verdict.body)


def test_what_is_derived_from_the_format_is_as_written_down() -> None:
    derived = json.loads(golden("derived.json"))
    assert head0(JOURNAL, 2, 4).hex() == derived["head0"]
    send = derived["send_command_id"]
    assert send_command_id(send["journal"], send["shard"], send["epoch"], send["seq"], send["number"]) == send["id"]
    for told in derived["checks"]:
        number = told.pop("check")
        assert check(**told) == number


def test_an_entry_takes_as_many_indexes_as_events_and_at_least_one() -> None:
    assert [entry_indexes(entry) for entry in entries()] == [2, 1, 1, 1, 1, 1, 1]


def test_sends_are_numbered_over_the_whole_frame_and_a_forward_takes_a_number() -> None:
    frame = decode_raw_frame(body_of(golden("frame.json")))
    numbered = [(number, send.shard, type(send) is Forwarded) for number, send in numbered_sends(frame)]
    assert numbered == [(0, 1, False), (1, 2, False), (2, 3, False), (3, 3, True)]


@pytest.mark.parametrize(
    "body",
    [
        b"[1,{}]",
        b"[1,{},[],0]",
        b"[-1,{},[]]",
        b"[9007199254740992,{},[]]",
        b"[1.5,{},[]]",
        b'[1,{"feeder:a:b":-1},[]]',
        b'[1,{},[["f","i",0,1]]]',
        b'[1,{},[["f","i",0,1,null,null]]]',
        b'[1,{},[["z","i",0,1,null]]]',
        b'[1,{},[["x","i",0,"c",null]]]',
    ],
)
def test_a_body_of_another_shape_does_not_decode(body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_raw_frame(body)


def test_an_event_that_no_class_is_known_for_does_not_decode() -> None:
    decode = frame_decoder((DEPOSITED, AUDITED))
    with pytest.raises(msgspec.DecodeError):
        decode(body_of(golden("frame.json")))
    with pytest.raises(msgspec.DecodeError):
        frame_decoder(())(body_of(golden("frame.json")))


def test_an_unknown_channel_does_not_decode() -> None:
    value = golden("frame.json").replace(b'"local"', b'"pigeon"')
    with pytest.raises(msgspec.DecodeError):
        decode_raw_frame(body_of(value))

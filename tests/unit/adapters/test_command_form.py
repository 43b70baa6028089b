"""Records of a commands topic become what executors decode, or say why they do not."""

from __future__ import annotations

from typing import Any

import pytest

from shardlog.adapters.kafka.command_form import Headers, ReadAvro, command_form, command_of
from shardlog.executor.requests import decode_record
from shardlog.journal.records import Origin
from shardlog.ports.inputs import UnreadableRecord

LEAST: list[tuple[str, str | bytes | None]] = [
    ("shardlog-category", b"account"),
    ("shardlog-stream", b"north:1"),
    ("shardlog-command", b"deposit"),
]
AVRO = b"\0\0\0\0\x07value"


def with_headers(**more: bytes | None) -> Headers:
    """The least, and others or the same anew; names in Python's spelling."""
    own: dict[str, Any] = {name.replace("_", "-"): value for name, value in more.items()}
    prefixed = {name if name == "traceparent" else f"shardlog-{name}": value for name, value in own.items()}
    return list({**dict(LEAST), **prefixed}.items())


def why(value: bytes | None, headers: Headers = None, read_avro: ReadAvro | None = None) -> str:
    """Why it says no command."""
    found = command_form(value, headers, read_avro)
    assert isinstance(found, UnreadableRecord), found
    assert found == b"", "whoever decodes it must fail"
    return found.reason


@pytest.mark.parametrize("headers", [None, [], [("traceparent", b"00-1-1-01"), ("other", None)]])
def test_an_envelope_is_passed_on_as_it_is(headers: Headers) -> None:
    value = b'[1,"account","north:1"'
    assert command_form(value, headers) is value
    assert command_form(b"\n [1]", headers) == b"\n [1]"


def test_headers_alone_make_a_record() -> None:
    record = decode_record(command_form(b'{"amount":5}', LEAST))
    assert (record.format, record.category, record.id, record.command) == (1, "account", "north:1", "deposit")
    assert bytes(record.payload) == b'{"amount":5}'
    assert (record.command_id, record.expected_version, record.occurred_at, record.origin) == ("", None, None, None)


def test_every_header_has_its_place() -> None:
    headers = with_headers(
        command_id=b"c-1",
        tenant=b"acme",
        actor=b"ann",
        correlation=b"co",
        causation=b"ca",
        reply_to=b"here",
        expected_version=b"0",
        occurred_at=b"1800000000000000",
        origin=b'["payments",1,2,3,4,[2,3,3]]',
        traceparent=b"00-1-1-01",
    )
    record = decode_record(command_form(b" {} ", headers))
    texts = (record.command_id, record.tenant, record.actor, record.correlation, record.causation, record.reply_to)
    assert texts == ("c-1", "acme", "ann", "co", "ca", "here")
    assert (record.expected_version, record.occurred_at, record.traceparent) == (0, 1_800_000_000_000_000, "00-1-1-01")
    assert record.origin == Origin("payments", 1, 2, 3, 4, (2, 3, 3))


def test_texts_are_quoted_so_that_none_reaches_beyond_its_place() -> None:
    record = decode_record(command_form(b"{}", with_headers(actor='","},["\u00e9\n'.encode())))
    assert record.actor == '","},["\u00e9\n'


@pytest.mark.parametrize(
    "value", [b'{},["payments",1,1,1,0,null]', b"{}],[1", b'{"a":1', b"[1]", b"5", b"", b'{"a":tru}']
)
def test_a_payload_is_one_json_object_and_nothing_beside_it(value: bytes) -> None:
    assert "the value is no JSON object" in why(value, LEAST)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("category", b"", "header 'shardlog-category' is empty, and must be given"),
        ("stream", b"\xff", "header 'shardlog-stream' is no UTF-8: invalid start byte at byte 0"),
        ("expected_version", b"one", "header 'shardlog-expected-version' is 'one', and must be an integer from 0 to"),
        ("expected_version", b"-1", "is '-1', and must be"),
        ("expected_version", b"", "is '', and must be"),
        (
            "expected_version",
            b"9007199254740992",
            "is '9007199254740992', and must be an integer from 0 to 90071992547409",
        ),
        ("occurred_at", b"2026-01-01T00:00:00Z", "microseconds since 1970 UTC"),
        ("occurred_at", b"9" * 5_000, "must be an integer"),
        ("actor", None, "header 'shardlog-actor' is null: leave it out, or give it a value"),
        ("origin", b"{}", "header 'shardlog-origin' is no origin, which is for what a relay carries"),
        ("comand_id", b"1", "header 'shardlog-comand-id' means nothing here; did you mean 'shardlog-command-id'?"),
        ("version", b"2", "header 'shardlog-version' means nothing here"),
    ],
)
def test_a_wrong_header_is_named(name: str, value: bytes | None, said: str) -> None:
    assert said in why(b"{}", with_headers(**{name: value}))


@pytest.mark.parametrize("missing", ["shardlog-stream", "shardlog-command"])
def test_a_missing_header_is_named(missing: str) -> None:
    headers = [(name, value) for name, value in LEAST if name != missing]
    assert why(b"{}", headers) == f"header {missing!r} is not there, and must be given"


def test_a_header_that_stands_twice_is_refused_as_nobody_knows_which_counts() -> None:
    assert why(b"{}", [*LEAST, ("shardlog-stream", b"north:2")]) == "header 'shardlog-stream' is there twice"


def test_headers_without_the_first_are_no_envelope_either() -> None:
    said = why(b'[1,"account"]', LEAST[1:])
    assert said.startswith("header 'shardlog-command' is there, and 'shardlog-category'")


@pytest.mark.parametrize("value", [b"{}", b"", b"hello", AVRO])
def test_a_value_of_neither_form_is_told_both(value: bytes) -> None:
    said = why(value)
    assert said.startswith(f"the value begins with {value[:8]!r}")
    assert '[1,"CATEGORY","STREAM ID","COMMAND",...]' in said
    assert "shardlog-stream" in said


@pytest.mark.parametrize("headers", [None, LEAST])
def test_a_tombstone_is_no_command(headers: Headers) -> None:
    assert "its value is null" in why(None, headers)


def test_avro_is_known_by_its_first_byte_and_read_by_whoever_can() -> None:
    asked: list[tuple[str, str, bytes]] = []

    def read_avro(category: str, command: str, value: bytes) -> bytes:
        asked.append((category, command, value))
        return b'{"amount":7}'

    assert bytes(decode_record(command_form(AVRO, LEAST, read_avro)).payload) == b'{"amount":7}'
    assert asked == [("account", "deposit", AVRO)]
    assert "the value is Avro" in why(AVRO, LEAST)
    assert why(AVRO, LEAST, lambda *_: UnreadableRecord("schema 7 is of another type")) == "schema 7 is of another type"


def test_a_registry_that_does_not_answer_makes_no_record_unreadable() -> None:
    def away(category: str, command: str, value: bytes) -> bytes:
        raise TimeoutError("no answer")

    with pytest.raises(TimeoutError):
        command_form(AVRO, LEAST, away)


class _Foreign:
    """A record of a producer that names a header in Latin-1, as the client library has it: no client of Python's
    writes one."""

    def headers(self) -> Headers:
        b"\xe9".decode()
        raise AssertionError

    def value(self) -> bytes:
        return b"[1]"


def test_a_name_of_a_header_that_is_no_text_makes_a_record_unreadable() -> None:
    found = command_of(_Foreign(), None)  # type: ignore[arg-type]  # what is asked of it
    assert isinstance(found, UnreadableRecord) and "the name of a header is no UTF-8" in found.reason

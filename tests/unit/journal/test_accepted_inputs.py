"""Records of accepted inputs: their bytes, and what is refused."""

from __future__ import annotations

import pytest

from shardlog.errors import JournalMismatch
from shardlog.journal.accepted_inputs import (
    AcceptedInput,
    accepted_input_key,
    decode_accepted_input,
    encode_accepted_input,
    is_accepted_input_key,
)

JOURNAL = "018f3c2e-7b1a-7c3d-9e4f-5a6b7c8d9e0f"
NAME = "kafka:acme.commands:AbC-_1"
ACCEPTED = AcceptedInput(JOURNAL, NAME, {7: 12, 0: 9007199254740991})
BYTES = (
    b'["shardlog",1,"input","018f3c2e-7b1a-7c3d-9e4f-5a6b7c8d9e0f","kafka:acme.commands:AbC-_1",'
    b"[[0,9007199254740991],[7,12]]]"
)


def test_an_accepted_input_has_these_bytes() -> None:
    assert accepted_input_key(NAME) == f"input/{NAME}"
    assert is_accepted_input_key(f"input/{NAME}")
    assert not is_accepted_input_key("meta")
    assert encode_accepted_input(ACCEPTED) == BYTES
    assert decode_accepted_input(BYTES) == ACCEPTED


def test_one_without_gaps_has_an_empty_list() -> None:
    value = encode_accepted_input(AcceptedInput(JOURNAL, NAME, {}))
    assert value.endswith(b",[]]")
    assert decode_accepted_input(value).gaps == {}


@pytest.mark.parametrize(
    "changed",
    [
        b"",
        BYTES[:-1],
        BYTES[:-1] + b",0]",
        BYTES.replace(b'"input"', b'"owner"'),
        BYTES.replace(JOURNAL.encode(), b"acme"),
        BYTES.replace(b"[7,12]", b"[7,-1]"),
        BYTES.replace(b"[7,12]", b"[7]"),
        BYTES.replace(b"AbC", b"\xff"),
    ],
)
def test_what_is_none_is_refused_with_the_next_step(changed: bytes) -> None:
    with pytest.raises(JournalMismatch, match="accept the input again"):
        decode_accepted_input(changed)


def test_one_of_a_newer_format_wants_newer_code() -> None:
    with pytest.raises(JournalMismatch, match=r"format 2.*deploy code"):
        decode_accepted_input(BYTES.replace(b'["shardlog",1,', b'["shardlog",2,'))

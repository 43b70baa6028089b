"""A dead letter that was published is read back as it was."""

from __future__ import annotations

import pytest

from shardlog.model.recorded import Position
from shardlog.ports.originals import Original
from shardlog.ports.relay import CommandDeadLetter
from shardlog.relay.letter_records import letter_record
from shardlog.relay.letters_read import read_letter

JOURNAL = "018f3c2e-7b1a-7c3d-9e4f-5a6b7c8d9e0f"
BYTES = 1_000
OF_A_MANAGER = CommandDeadLetter(
    position=Position(JOURNAL, 3, 17, 2),
    code="unknown_command",
    message="there is no command äöü",
    time=1_700_000_000_000_001,
    category="account",
    id="l1:ada",
    command="deposit",
    command_id="c1",
    manager="payments",
    tenant="t",
    actor="a",
    correlation="k",
    causation="z",
    payload='{"amount":5}',
)
OF_AN_INPUT = CommandDeadLetter(
    position=Position(JOURNAL, 0, 4, 0),
    code="undecodable",
    message="no command record",
    time=1_700_000_000_000_000,
    input="kafka:acme.commands:AbC",
    input_offset=9,
    original=b"\xff\x00",
)


@pytest.mark.parametrize(
    ("letter", "original"),
    [
        (OF_A_MANAGER, None),
        (OF_AN_INPUT, Original(b"\xff\x00", b"key", [("a", b"1"), ("b", None)])),
        (
            CommandDeadLetter(
                **{f: getattr(OF_AN_INPUT, f) for f in OF_AN_INPUT.__struct_fields__} | {"original": b""}
            ),
            Original(None),
        ),
        (
            CommandDeadLetter(
                **{f: getattr(OF_AN_INPUT, f) for f in OF_AN_INPUT.__struct_fields__} | {"original": None}
            ),
            None,
        ),
    ],
)
def test_what_is_published_is_read_back(letter: CommandDeadLetter, original: Original | None) -> None:
    record = letter_record(letter, original, b"l1", BYTES)
    assert read_letter(record.value, record.headers) == letter


@pytest.mark.parametrize("missing", ["dead-letter-position", "dead-letter-time", "dead-letter-code"])
def test_a_record_that_is_no_dead_letter_is_passed_over(missing: str) -> None:
    record = letter_record(OF_A_MANAGER, None, b"l1", BYTES)
    assert read_letter(record.value, [(name, text) for name, text in record.headers if name != missing]) is None
    assert read_letter(record.value, [*record.headers, ("dead-letter-position", b"nowhere")]) is None

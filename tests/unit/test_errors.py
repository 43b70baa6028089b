"""Messages of several sentences: a driver's or another error's words have one stop, whatever they end with."""

from __future__ import annotations

import sqlite3

import pytest

from shardlog.adapters.sql.faults import fault
from shardlog.errors import sentence


@pytest.mark.parametrize(
    ("said", "shown"),
    [("it is away", "it is away."), ("it is away.\n", "it is away."), ("Is it there?", "Is it there?")],
)
def test_a_text_that_another_sentence_follows_has_one_stop(said: str, shown: str) -> None:
    assert sentence(said) == shown


@pytest.mark.parametrize("said", ["database is locked", "database is locked.", "connection failed\n\tIs it running?"])
def test_what_a_driver_says_is_one_line_and_has_one_stop(said: str) -> None:
    error = sqlite3.OperationalError(said)
    error.sqlite_errorcode = sqlite3.SQLITE_BUSY  # as the library sets it
    text = str(fault(error, "writing"))
    assert "\n" not in text
    assert ".." not in text
    assert "?." not in text
    assert text.endswith("Nothing was written; the same may work later.")

"""Texts of dead letters that not every database holds."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from shardlog import Position
from shardlog.adapters.sql.relay_store import _TEXTS, SqlRelayStore, _values
from shardlog.journal.records import Unreadable
from shardlog.ports.relay import CommandDeadLetter
from tests.unit.relay.sent import Sent, came, rejected


def test_a_nul_in_a_text_of_a_dead_letter_is_stored_as_its_escape(tmp_path: Path) -> None:
    store = SqlRelayStore(tmp_path / "relay.sqlite")
    sent = Sent(store=store)
    sent.frame(
        0,
        Unreadable("kafka:a\0b:1", 3, "undecodable", "\0 is no command"),
        rejected("unknown_command", command="fl\0y", origin=came(), payload=b'{"id":"\\u0000"}'),
    )
    sent.run()
    unreadable, refused = sent.letters()
    assert (unreadable.input, unreadable.message) == (r"kafka:a\u0000b:1", r"\u0000 is no command")
    assert (refused.command, refused.payload) == (r"fl\u0000y", r'{"id":"\u0000"}')
    store.close()


@pytest.mark.parametrize("name", _TEXTS)
def test_no_text_of_a_row_has_a_nul_whichever_field_it_came_in(name: str) -> None:
    letter = CommandDeadLetter(position=Position("j", 0, 1, 0), code="undecodable", message="?", time=0)
    assert _values(msgspec.structs.replace(letter, **{name: "a\0b"}))[name] == r"a\u0000b"

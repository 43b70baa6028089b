"""Positions and their tokens."""

from __future__ import annotations

import pytest

from shardlog import InvalidToken, Position

JOURNAL = "0d9ab5de-9d0b-4b57-8d6f-6a4a7f6b6a11"


def test_a_token_names_the_position_that_it_came_from() -> None:
    position = Position(JOURNAL, 3, 17, 2)
    assert position.token == f"{JOURNAL}.3.17.2"
    assert Position.parse(position.token) == position


@pytest.mark.parametrize(
    "token",
    ["", JOURNAL, f"{JOURNAL}.1.2", f"{JOURNAL}.1.2.x", f"{JOURNAL}.1.-2.3", ".1.2.3", f"{JOURNAL}.1.2.{'9' * 5_000}"],
)
def test_what_is_no_token_is_refused_by_name(token: str) -> None:
    with pytest.raises(InvalidToken, match="is no consistency token: it is JOURNAL"):
        Position.parse(token)


@pytest.mark.parametrize("token", [f"{JOURNAL}.1.2.³", f"{JOURNAL}.١.2.3"])
def test_digits_of_other_scripts_are_none(token: str) -> None:
    with pytest.raises(InvalidToken):
        Position.parse(token)


def test_a_long_text_is_not_repeated_whole() -> None:
    with pytest.raises(InvalidToken, match=r"x{100}\.\.\. \(5000 characters\)"):
        Position.parse("x" * 5000)

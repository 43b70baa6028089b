"""Ranges of settings: what is let through, and the words for it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
import pytest

from shardlog.ranges import allowed, is_allowed, unit

Small = Annotated[int, msgspec.Meta(ge=1, le=3)]
AtLeast = Annotated[int, msgspec.Meta(ge=0)]
Positive = Annotated[float, msgspec.Meta(gt=0)]


@pytest.mark.parametrize(
    ("hint", "taken", "refused"),
    [
        (Small, [1, 3], [0, 4, True, 1.0, "1", None]),
        (AtLeast, [0, 10**12], [-1]),
        (Positive, [0.5, 2, 1e9], [0, 0.0, -1.0, float("inf"), float("nan"), "1"]),
        (bool, [True, False], [0, 1, "true"]),
        (Literal["a", "b"], ["a"], ["c", 1]),
        (tuple[str, ...], [[], ["x"], ("x",)], ["x", [1]]),
    ],
)
def test_what_is_let_through(hint: Any, taken: list[Any], refused: list[Any]) -> None:
    assert [value for value in [*taken, *refused] if is_allowed(value, hint)] == taken


@pytest.mark.parametrize(
    ("hint", "words"),
    [
        (Small, "an integer, 1 to 3"),
        (AtLeast, "an integer, 0 or more"),
        (int, "an integer"),
        (Positive, "a finite number above 0"),
        (Annotated[float, msgspec.Meta(gt=0, le=60)], "a finite number above 0, 60 or less"),
        (bool, "true or false"),
        (Literal["a", "b", "c"], "'a', 'b' or 'c'"),
        (tuple[str, ...], "a list of texts"),
        (str, "a text"),
    ],
)
def test_what_is_allowed_is_said_in_words(hint: Any, words: str) -> None:
    assert allowed(hint) == words


@pytest.mark.parametrize(
    ("name", "hint", "expected"),
    [
        ("retry_after_ms", int, "ms"),
        ("back_off_max_ms", int, "ms"),
        ("queue_commands_max", int, "commands"),
        ("share_percent", int, "percent"),
        ("nesting_max", int, ""),
        ("domains", tuple[str, ...], ""),
    ],
)
def test_a_unit_stands_last_in_a_name(name: str, hint: Any, expected: str) -> None:
    assert unit(name, hint) == expected

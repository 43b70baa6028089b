"""Sets in messages: written sorted, so what has no order cannot stand in one."""

from __future__ import annotations

import enum
from typing import Any, Literal

import msgspec
import pytest

from shardlog import DomainError, Event
from shardlog.codec.json import encode
from shardlog.model.message_checks import check_message


class Plain(enum.Enum):
    A = "a"
    B = "b"


class Text(enum.StrEnum):
    A = "a"
    B = "b"


class Part(msgspec.Struct, frozen=True):
    number: int = 0


def holding(item: Any) -> type[Event]:
    """An event with a set of these."""
    return type("Holding", (Event,), {"__annotations__": {"held": frozenset[item]}, "__module__": __name__})


@pytest.mark.parametrize(
    "item", [Plain, Part, int | None, int | str, frozenset[int], Literal[1, "a"], tuple[int, Part]]
)
def test_a_set_of_what_has_no_order_is_refused_with_what_to_write_instead(item: Any) -> None:
    with pytest.raises(DomainError, match=r"Holding\.held is a frozenset of .*no order.*Mapping by key"):
        check_message(holding(item))


@pytest.mark.parametrize(
    ("item", "values", "written"),
    [
        (Text, [Text.B, Text.A], b'["a","b"]'),
        (int, [3, 1, 2], b"[1,2,3]"),
        (Literal["b", "a"], ["b", "a"], b'["a","b"]'),
        (tuple[int, str], [(2, "a"), (1, "b")], b'[[1,"b"],[2,"a"]]'),
    ],
)
def test_a_set_of_what_has_an_order_is_written_sorted(item: Any, values: list[Any], written: bytes) -> None:
    made: Any = holding(item)
    check_message(made)
    assert encode(made(held=frozenset(values))) == b'{"held":%b}' % written

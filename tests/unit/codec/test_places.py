"""A validation error with the value that it speaks of."""

from __future__ import annotations

import msgspec
import pytest

from shardlog.codec.places import with_value


class Line(msgspec.Struct):
    count: int = 0


class Order(msgspec.Struct):
    lines: tuple[Line, ...] = ()
    counts: dict[str, int] = {}
    note: str = msgspec.field(default="", name="the note")


def refused(data: bytes) -> str:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.json.decode(data, type=Order)
    return with_value(caught.value, data)


def test_the_value_at_the_place_is_shown_however_deep_it_stands() -> None:
    assert refused(b'{"lines":[{},{"count":"two"}]}') == "Expected `int`, got `str` - at `$.lines[1].count`: 'two'"


def test_a_long_value_is_cut_off() -> None:
    text = refused(b'{"lines":[{"count":"' + b"x" * 1000 + b'"}]}')
    assert text.endswith(f": '{'x' * 79}... (1002 characters)")


@pytest.mark.parametrize("data", [b"[]", b'{"counts":{"a":"b"}}', b'{"the note":5}'])
def test_where_no_single_place_is_named_the_error_stands_alone(data: bytes) -> None:
    assert refused(data).endswith(("`array`", "`$.counts[...]`", "`$.the note`"))

"""A field that a type does not know, with the one that was probably meant."""

from __future__ import annotations

from typing import Annotated

import msgspec
import pytest

from shardlog.codec.json import NOT_DECODED
from shardlog.codec.unknown_fields import with_near_field


class Line(msgspec.Struct, forbid_unknown_fields=True):
    count: Annotated[int, msgspec.Meta(gt=0)] = 1


class Empty(msgspec.Struct, forbid_unknown_fields=True, tag=True):
    pass


class Full(msgspec.Struct, forbid_unknown_fields=True, tag=True):
    litres: int = 1


class Order(msgspec.Struct, forbid_unknown_fields=True):
    lines: tuple[Line, ...] = ()
    first: Line | None = None
    pair: tuple[int, Line] | None = None
    by_name: dict[str, Line] = {}
    either: Full | Empty | int = 1
    delivered_at: str = msgspec.field(default="", name="deliveredAt")
    inner: Order | None = None


NEAR = {
    b'{"lins":[]}': "Object contains unknown field `lins`; did you mean 'lines'?",
    b'{"delivered_at":""}': "Object contains unknown field `delivered_at`; did you mean 'deliveredAt'?",
    b'{"lines":[{},{"cont":2}]}': ("Object contains unknown field `cont` - at `$.lines[1]`; did you mean 'count'?"),
    b'{"first":{"cuont":2}}': "Object contains unknown field `cuont` - at `$.first`; did you mean 'count'?",
    b'{"pair":[1,{"cuont":2}]}': "Object contains unknown field `cuont` - at `$.pair[1]`; did you mean 'count'?",
    b'{"by_name":{"a":{"counts":2}}}': (
        "Object contains unknown field `counts` - at `$.by_name[...]`; did you mean 'count'?"
    ),
    b'{"inner":{"inner":{"frist":null}}}': (
        "Object contains unknown field `frist` - at `$.inner.inner`; did you mean 'first'?"
    ),
    b'{"first":{"colour":2}}': "Object contains unknown field `colour` - at `$.first`; there are: count",
}


def refused(data: bytes) -> str:
    with pytest.raises(NOT_DECODED) as caught:
        msgspec.json.decode(data, type=Order)
    return with_near_field(caught.value, Order)


@pytest.mark.parametrize("data", NEAR, ids=bytes.decode)
def test_the_field_that_is_near_is_named_where_it_should_stand(data: bytes) -> None:
    assert refused(data) == NEAR[data]


@pytest.mark.parametrize(
    "data",
    [
        b"[]",
        b'{"lines":{}}',
        b'{"either":{"type":"Full","litre":1}}',
        b'{"first":{"count":0}}',
        b"{",
        b'{"lines":"\xff"}',
    ],
)
def test_any_other_error_is_as_it_was(data: bytes) -> None:
    assert "did you mean" not in refused(data)
    assert "there are" not in refused(data)


def test_a_name_that_is_too_long_to_be_a_misspelling_is_compared_with_nothing() -> None:
    assert refused(b'{"%s":1}' % (b"l" * 65)).endswith("`")
    assert refused(b'{"%s":1}' % (b"l" * 64)).endswith("inner")


def test_a_command_without_fields_says_so() -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.json.decode(b'{"type":"Empty","a":1}', type=Empty)
    assert with_near_field(caught.value, Empty).endswith("`a`; there are none")

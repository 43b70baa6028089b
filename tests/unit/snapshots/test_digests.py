"""The state digest and the state schema: what they cover, and what they do not depend on."""

from __future__ import annotations

import enum
import subprocess
import sys
from collections.abc import Mapping
from hashlib import blake2b
from typing import Annotated, Any

import msgspec
import pytest

from shardlog import Meta, State
from shardlog.snapshots.slot import Slot
from shardlog.snapshots.state_digest import state_digest
from shardlog.snapshots.state_schema import state_schema


class Account(State):
    owner: str = ""
    balance: int = 0
    reserved: Mapping[str, int] = {}


ONE = Slot(3, Account(owner="ann", balance=5, reserved={"b": 2, "a": 1}))
TWO = Slot(1, Account())


# -- digest ------------------------------------------------------------------------------------------------------------
def test_the_digest_is_the_sum_of_hashes_of_sorted_json() -> None:
    texts = (
        b'["account","1",3,{"balance":5,"owner":"ann","reserved":{"a":1,"b":2}}]',
        b'["account","2",1,{"balance":0,"owner":"","reserved":{}}]',
    )
    total = sum(int.from_bytes(blake2b(text, digest_size=32).digest(), "big") for text in texts) % 2**256
    assert state_digest([("account", {"1": ONE, "2": TWO})]) == f"{total:064x}"
    assert state_digest([]) == "0" * 64


def test_the_digest_does_not_depend_on_order_or_buckets() -> None:
    together = state_digest([("account", {"1": ONE, "2": TWO})])
    assert state_digest([("account", {"2": TWO}), ("account", {}), ("account", {"1": ONE})]) == together


@pytest.mark.parametrize(
    "other",
    [
        ("account", {"1": Slot(4, ONE.state)}),
        ("account", {"2": ONE}),
        ("book", {"1": ONE}),
        ("account", {"1": Slot(3, msgspec.structs.replace(ONE.state, balance=6))}),
    ],
)
def test_the_digest_covers_category_id_version_and_state(other: tuple[str, dict[str, Slot[Any]]]) -> None:
    assert state_digest([other]) != state_digest([("account", {"1": ONE})])


# -- schema ------------------------------------------------------------------------------------------------------------
class Colour(enum.Enum):
    RED = "red"


class Wider(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Part(msgspec.Struct, frozen=True):
    size: int


class Nested(msgspec.Struct, frozen=True):
    parts: tuple[Nested, ...] = ()


def state(fields: Mapping[str, Any], **defaults: Any) -> msgspec.Struct:
    """A state of these fields, made anew at each call."""
    made = msgspec.defstruct("Shelf", [(name, type_, defaults[name]) for name, type_ in fields.items()], frozen=True)
    return made()  # type: ignore[no-any-return]


def test_the_schema_is_the_same_for_the_same_fields() -> None:
    fields = {"a": int, "b": tuple[Part, ...], "c": Colour, "d": Nested}
    defaults = {"a": 1, "b": (), "c": Colour.RED, "d": Nested()}
    assert state_schema(state(fields, **defaults)) == state_schema(state(fields, **defaults))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (({"a": int}, {"a": 0}), ({"b": int}, {"b": 0})),
        (({"a": int}, {"a": 0}), ({"a": int}, {"a": 1})),
        (({"a": int}, {"a": 0}), ({"a": int | None}, {"a": 0})),
        (({"a": int}, {"a": 0}), ({"a": Annotated[int, Meta(ge=0)]}, {"a": 0})),
        (({"a": int}, {"a": 0}), ({"a": int, "b": int}, {"a": 0, "b": 0})),
        (({"a": tuple[int, ...]}, {"a": ()}), ({"a": frozenset[int]}, {"a": frozenset()})),
        (({"a": Colour | None}, {"a": None}), ({"a": Wider | None}, {"a": None})),
        (({"a": Part | None}, {"a": None}), ({"a": Nested | None}, {"a": None})),
    ],
)
def test_the_schema_changes_with_names_types_limits_defaults_and_what_is_inside(one: Any, other: Any) -> None:
    assert state_schema(state(one[0], **one[1])) != state_schema(state(other[0], **other[1]))


def test_schema_and_digest_do_not_depend_on_the_hash_seed() -> None:
    program = (
        "from tests.unit.snapshots.test_digests import *;"
        "print(state_schema(Account()), state_digest([('account', {'1': ONE, '2': TWO})]))"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(printed) == 1
    assert state_schema(Account()) in printed.pop()

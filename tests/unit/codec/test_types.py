"""Walking through types: what stands inside them, and whether they hold themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, TypeVar

import msgspec
import pytest

from shardlog import Command, Event, Personal, State
from shardlog.codec.types import descriptions, is_recursive, walk

T = TypeVar("T")
Tags = NewType("Tags", tuple[str, ...])


class Leaf(msgspec.Struct, frozen=True):
    text: str


class Twin(msgspec.Struct, frozen=True):
    left: Leaf
    right: Leaf


class Tree(msgspec.Struct, frozen=True):
    children: tuple[Tree, ...] = ()


class And(msgspec.Struct, frozen=True, tag=True):
    parts: tuple[And | Not | Leaf, ...]


class Not(msgspec.Struct, frozen=True, tag=True):
    part: And | None


class Linked(NamedTuple):
    value: int
    rest: Linked | None


class Box(msgspec.Struct, Generic[T], frozen=True):
    value: T


class Asked(Command):
    rule: Annotated[And | None, msgspec.Meta(title="rule")] = None


class Grown(Event):
    trees: Mapping[str, Personal[Tree]]


class Flat(State):
    kind: Literal["tree"] = "tree"
    twins: tuple[Twin, ...] = ()
    boxed: Box[Box[Leaf]] | None = None


@pytest.mark.parametrize("annotation", [Tree, And, Not, Linked, Asked, Grown, Box[Tree], tuple[Tree | None, ...]])
def test_a_type_that_holds_itself_is_recursive(annotation: Any) -> None:
    assert is_recursive(annotation)


@pytest.mark.parametrize("annotation", [int, None, Leaf, Twin, Flat, Box[Box[int]], Tags, Mapping[str, Twin], Any])
def test_a_type_that_holds_others_or_one_twice_is_not(annotation: Any) -> None:
    assert not is_recursive(annotation)


def test_walking_goes_into_structs_named_tuples_and_new_types_and_comes_to_an_end() -> None:
    assert {Tags, tuple[str, ...], str} <= set(walk(Tags))
    assert {Linked, int} <= set(walk(Linked))
    assert Tree in set(walk(Grown))


def test_descriptions_go_into_values_about_persons_and_come_to_an_end() -> None:
    found = {type(info) for info in descriptions(Grown)}
    assert {msgspec.inspect.DictType, msgspec.inspect.CustomType, msgspec.inspect.VarTupleType} <= found

"""Shards are spread over members evenly, with as few moves as there can be, and the same wherever it is asked."""

from __future__ import annotations

from collections import Counter
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from shardlog.projector.spreading import spread

MEMBERS = st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=6)
SHARDS = st.integers(0, 20)


def held_by(members: list[str]) -> st.SearchStrategy[dict[int, str]]:
    return st.dictionaries(st.integers(0, 25), st.sampled_from([*members, "dead", "gone"]))


@given(MEMBERS, SHARDS, st.data())
def test_every_shard_has_a_living_member_and_nobody_has_two_more_than_another(
    members: list[str], shards: int, data: st.DataObject
) -> None:
    owners = spread(members, range(shards), data.draw(held_by(members)))
    if not members:
        assert owners == {}
        return
    assert sorted(owners) == list(range(shards))
    counts = Counter(owners.values())
    assert set(owners.values()) <= set(members)
    counted = [counts[member] for member in members]
    assert max(counted) - min(counted) <= 1


@given(MEMBERS, SHARDS, st.data())
def test_the_order_of_members_does_not_matter(members: list[str], shards: int, data: st.DataObject) -> None:
    held = data.draw(held_by(members))
    shuffled = data.draw(st.permutations(members))
    backwards = dict(reversed(held.items()))
    assert spread(members, range(shards), held) == spread(shuffled, reversed(range(shards)), backwards)


@given(MEMBERS, SHARDS, st.data())
def test_what_was_spread_stays(members: list[str], shards: int, data: st.DataObject) -> None:
    owners = spread(members, range(shards), data.draw(held_by(members)))
    assert spread(members, range(shards), owners) == owners


@given(st.lists(st.sampled_from("abc"), unique=True, min_size=1), st.integers(0, 6), st.data())
def test_no_balanced_spread_moves_fewer_shards(members: list[str], shards: int, data: st.DataObject) -> None:
    held = {shard: who for shard, who in data.draw(held_by(members)).items() if shard < shards}
    owners = spread(members, range(shards), held)

    def moves(candidate: dict[int, str]) -> int:
        return sum(who in members and candidate[shard] != who for shard, who in held.items())

    def is_balanced(candidate: dict[int, str]) -> bool:
        counted = [list(candidate.values()).count(member) for member in members]
        return max(counted) - min(counted) <= 1

    every = (dict(enumerate(choice)) for choice in product(members, repeat=shards))
    assert moves(owners) == min(moves(candidate) for candidate in every if is_balanced(candidate))

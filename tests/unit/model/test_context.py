"""The context: what a decision draws is the same when it is run again."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import pytest

from shardlog import Context

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def a_context(seed: bytes) -> Context:
    return Context(id="a", version=0, time=NOON, occurred_at=NOON, command_id="c", seed=seed)


def test_ids_are_fresh_within_a_decision_and_the_same_when_it_is_run_again() -> None:
    first, again = a_context(b"1"), a_context(b"1")
    drawn = [first.new_id() for _ in range(3)]
    assert len(set(drawn)) == 3
    assert drawn == [again.new_id() for _ in range(3)]


def test_another_seed_gives_other_ids() -> None:
    assert a_context(b"1").new_id() != a_context(b"2").new_id()


def test_ids_are_uuids_of_version_8() -> None:
    assert uuid.UUID(a_context(b"1").new_id()).version == 8


def test_random_numbers_are_the_same_when_it_is_run_again_and_other_in_a_second_generator() -> None:
    first, again = a_context(b"1"), a_context(b"1")
    assert first.random().random() == again.random().random()
    assert first.random().random() != a_context(b"1").random().random()


def test_a_handler_cannot_change_it() -> None:
    with pytest.raises(AttributeError, match="immutable"):
        a_context(b"1").version = 5  # type: ignore[misc]  # that is the point

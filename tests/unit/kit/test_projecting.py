"""A projection in a test says why its rows are not what was expected."""

from __future__ import annotations

import pytest

from shardlog import Aggregate, Changes, DomainError, Event, Key, Projection, Recorded, Row, State, add, put, update
from shardlog.testing.kit import on, project
from shardlog.testing.kit.projecting import Projected


class Lamp(State): ...


class Lit(Event): ...


class Broke(Event): ...


class Hours(Row):
    lamp: Key[str]
    lit: int = 0


class Other(Row):
    lamp: Key[str]


lamp = Aggregate("lamp", initial=Lamp())
lamp.ignores(Lit, Broke)
hours = Projection("hours", rows=[Hours])


@hours.on
def lit(event: Lit, recorded: Recorded) -> Changes:
    return update(Hours, recorded.id, lit=add(1))


@hours.on
def broke(event: Broke, recorded: Recorded) -> Changes:
    return put(Hours(lamp=recorded.id))


def projected(*events: Event) -> Projected:
    return project(hours, on(lamp.stream("a"), *events))


def test_an_update_of_a_row_that_is_not_there_is_named_when_rows_are_missing() -> None:
    with pytest.raises(AssertionError, match=r"lit \(test_projecting.py:\d+\) changed nothing: there was no Hours"):
        projected(Lit()).then_rows(Hours(lamp="a", lit=1))


def test_it_is_no_fault_by_itself() -> None:
    projected(Lit()).then_rows()
    projected(Broke(), Lit()).then_rows(Hours(lamp="a", lit=1))


def test_rows_of_a_table_that_is_not_the_projection_s_are_refused_with_what_to_write() -> None:
    with pytest.raises(
        DomainError, match=r"Other: projection 'hours' has no such row. Name it .*rows=\[Hours, Other\]"
    ):
        projected(Lit()).rows(Other)

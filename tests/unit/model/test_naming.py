"""What a handler's code names is found without running it: in it, in what it calls, and in what it closes over."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shardlog import Application, Changes, DomainError, Event, Key, Projection, Recorded, Row, increment
from shardlog.model.naming import named_by, names_of


class Seen(Event): ...


class Total(Row):
    day: Key[str]
    count: int = 0


NUMBERS = {"a": 1}


def direct(event: Seen, recorded: Recorded) -> Changes:
    return increment(Total, "today", count=NUMBERS["a"])


def through_another(event: Seen, recorded: Recorded) -> Changes:
    return direct(event, recorded)


def inside(event: Seen, recorded: Recorded) -> Changes:
    return [increment(Total, day, count=1) for day in ("a", "b")]


def endless(event: Seen, recorded: Recorded) -> Changes:
    return endless(event, recorded)


def closing_over(row: type[Row]) -> Callable[[Seen, Recorded], Changes]:
    def handler(event: Seen, recorded: Recorded) -> Changes:
        return increment(row, "today", count=1)

    return handler


def test_a_class_is_found_in_the_handler_in_what_it_calls_in_inner_functions_and_in_closures() -> None:
    for handler in (direct, through_another, inside, closing_over(Total)):
        assert Total in list(named_by(handler)), handler
    assert Total not in list(named_by(endless))


def test_names_are_those_of_inner_functions_too() -> None:
    assert {"increment", "Total"} <= names_of(inside)
    assert names_of(len) == frozenset()


def test_an_application_without_the_row_that_a_handler_writes_is_refused_with_what_to_write() -> None:
    projection = Projection("totals", rows=[])
    projection.on(through_another)
    with pytest.raises(DomainError) as refused:
        Application([], [projection])
    assert "writes Total: projection 'totals' has no such row. Name it there: `Projection('totals', rows=[Total])`" in (
        str(refused.value)
    )

"""A projection in a test says why its rows are not what was expected."""

from __future__ import annotations

from typing import Annotated

import pytest

from shardlog import (
    Aggregate,
    Changes,
    DomainError,
    Event,
    Key,
    Meta,
    Projection,
    Recorded,
    Row,
    State,
    add,
    increment,
    put,
    remove,
    update,
)
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


class Balance(Row, name="balances", floats=True):
    number: Key[int]
    total: int = 0
    limit: Annotated[int, Meta(description="agreed")] | None = None
    notes: float = 0.0


class Counted(Event):
    by: int


class Limited(Event):
    to: int


class Numbered(Event):
    number: int


tally = Aggregate("tally", initial=Lamp())
tally.ignores(Counted, Limited, Numbered)
balances = Projection("balances", rows=[Balance])


@balances.on
def counted(event: Counted, recorded: Recorded) -> Changes:
    return increment(Balance, 1, total=event.by)


@balances.on
def limited(event: Limited, recorded: Recorded) -> Changes:
    return update(Balance, 1, limit=event.to)


@balances.on
def numbered(event: Numbered, recorded: Recorded) -> Changes:
    return remove(Balance, event.number) if event.number < 0 else put(Balance(number=event.number, notes=1e300))


@pytest.mark.parametrize(
    ("events", "handler", "column", "value"),
    [
        ([Counted(by=2**63)], "counted", "total", 2**63),
        ([Counted(by=2**63 - 1), Counted(by=1)], "counted", "total", 2**63),
        ([Counted(by=-(2**63) - 1)], "counted", "total", -(2**63) - 1),
        ([Counted(by=1), Limited(to=2**64)], "limited", "limit", 2**64),
        ([Limited(to=2**64)], "limited", "limit", 2**64),
        ([Numbered(number=2**63)], "numbered", "number", 2**63),
        ([Numbered(number=-(2**63) - 1)], "numbered", "number", -(2**63) - 1),
    ],
)
def test_an_integer_beyond_64_bits_is_refused_as_a_database_refuses_it(
    events: list[Event], handler: str, column: str, value: int
) -> None:
    with pytest.raises(DomainError) as raised:
        project(balances, on(tally.stream("a"), *events))
    assert str(raised.value).startswith(f"{handler} (test_projecting.py:")
    assert str(raised.value).endswith(
        f": table 'balances', column {column!r} takes no {value}: an integer has 64 bits, from -9223372036854775808 to "
        "9223372036854775807. Put a limit on the command: `Annotated[int, Meta(le=...)]`"
    )


def test_integers_of_64_bits_pass() -> None:
    kept = project(balances, on(tally.stream("a"), Counted(by=2**63 - 1), Limited(to=-(2**63))))
    kept.then_rows(Balance(number=1, total=2**63 - 1, limit=-(2**63)))
    project(balances, on(tally.stream("a"), Numbered(number=5))).then_rows(Balance(number=5, notes=1e300))


@pytest.mark.parametrize("returned", [[put(Hours(lamp="a")), "oops"], ("oops",), "oops", 7])
def test_what_is_no_change_is_refused_with_what_to_return(returned: object) -> None:
    wrong = Projection("wrong", rows=[Hours])

    @wrong.on
    def lit(_event: Lit, _recorded: Recorded) -> Changes:
        return returned  # type: ignore[return-value]  # as a developer without a type checker may

    with pytest.raises(DomainError, match=r"is no change: return put, update, increment, remove, or a sequence"):
        project(wrong, on(lamp.stream("a"), Lit())).then_rows()

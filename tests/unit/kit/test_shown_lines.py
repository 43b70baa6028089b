"""Where a test of the kit fails, pytest shows the lines of the domain's author, and none of the kit's."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shardlog import (
    Aggregate,
    Changes,
    Command,
    Domain,
    DomainError,
    Event,
    Key,
    Projection,
    Recorded,
    Row,
    State,
    increment,
    reject,
    replace,
)
from shardlog.testing.kit import Scenario, check_contract, explore, given, on, project


class Lamp(State):
    uses: int = 0


class Use(Command):
    times: int


class Used(Event):
    times: int


class Worn(Event): ...


class Uses(Row):
    lamp: Key[str]
    times: int = 0


lamp = Aggregate("lamp", initial=Lamp())
uses = Projection("uses", rows=[Uses])
TOO_OFTEN = 3


@lamp.decides
def use(state: Lamp, command: Use) -> Used:
    if command.times == TOO_OFTEN:
        reject("too_often", "three times")
    return Used(times=command.times)


@lamp.evolves
def used(state: Lamp, event: Used) -> Lamp:
    return replace(state, uses=state.uses + event.times)


@lamp.evolves
def worn(state: Lamp, event: Worn) -> Lamp:
    raise ValueError("worn")


@uses.on
def counted(event: Used, recorded: Recorded) -> Changes:
    return increment(Uses, recorded.id, times=event.times)


home = Domain("home", aggregates=[lamp])
one = lamp.stream("one")


@pytest.mark.parametrize(
    "failing",
    [
        lambda: given(lamp).when(Use(times=1)).then(),
        lambda: given(lamp).when(Use(times=1)).then_like(Used(times=2), but=[]),
        lambda: given(lamp).when(Use(times=1)).then_state(Lamp()),
        lambda: given(lamp).when(Use(times=1)).then_rejected("too_often"),
        lambda: given(lamp).when(Use(times=3)).then_rejected("too_seldom"),
        lambda: given(lamp).when(Use(times=3)).then_nothing(),
        lambda: given(lamp).then_state(Lamp(uses=1)),
        lambda: given(lamp, Worn()),
        lambda: explore(lamp, invariant=lambda state: False, runs=5),
        lambda: project(uses, on(one, Used(times=1))).then_rows(),
        lambda: project(uses, on(one, Used(times=2**63))),
        lambda: Scenario(home).when(one, Use(times=1)).then_rejected("too_often"),
        lambda: Scenario(home).when(one, Use(times=1)).then_state(one, Lamp()),
        lambda: Scenario(home).when(one, Use(times=1)).then_rows(uses),
        lambda: Scenario(home, projections=[uses]).when(one, Use(times=1)).then_rows(uses),
        lambda: check_contract(home, {"lamp": {"events": {"lit/1": {}}}}),
    ],
)
def test_no_line_of_the_kit_is_shown(failing: Callable[[], object]) -> None:
    with pytest.raises((AssertionError, DomainError)) as raised:
        failing()
    shown = [str(entry.path) for entry in raised.traceback.filter(raised)]
    assert shown
    assert not [path for path in shown if "shardlog/testing/kit" in path], shown
    assert shown[-1] == __file__

"""Random commands on a few streams: whatever comes, replay agrees and the invariant holds."""

from __future__ import annotations

from collections.abc import Callable
from types import CodeType, TracebackType
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import given as hypothesis_given
from hypothesis import strategies as st

from shardlog.model.aggregate import Aggregate
from shardlog.model.messages import Command, State
from shardlog.testing.kit.executing import execute
from shardlog.testing.kit.strategies import values_of
from shardlog.testing.kit.world import Request, World

__tracebackhide__ = True

S = TypeVar("S", bound=State)


def explore(
    aggregate: Aggregate[S, Any, Any],
    *,
    invariant: Callable[[S], bool] | None = None,
    runs: int = 200,
    commands_max: int = 12,
) -> None:
    """Send random commands to two streams of one routing key, with every check of the kit on.

    invariant: says whether a state is sound; asked after each command. runs: how many sequences. commands_max: how long
    one may be. A failure is shrunk to the shortest sequence. Raises what the first broken rule raises.
    """
    ids = _ids(aggregate)
    commands: st.SearchStrategy[Command] = st.one_of([values_of(c, ids) for c in aggregate.commands_by_name.values()])
    sequences = st.lists(st.tuples(st.sampled_from(ids), commands), max_size=commands_max)

    def run(sequence: list[tuple[str, Command]]) -> None:
        _run(aggregate, ids, sequence, invariant)

    limits = settings(max_examples=runs, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
    try:
        limits(hypothesis_given(sequences)(run))()
    except Exception as error:
        error.with_traceback(_lines_from(run.__code__, error.__traceback__))
        raise


def _lines_from(code: CodeType, lines: TracebackType | None) -> TracebackType | None:
    """The lines of a failure from this function on: those that hypothesis makes up around it cannot be hidden."""
    line = lines
    while line is not None and line.tb_frame.f_code is not code:
        line = line.tb_next
    return line or lines


def _run(
    aggregate: Aggregate[S, Any, Any],
    ids: list[str],
    sequence: list[tuple[str, Command]],
    invariant: Callable[[S], bool] | None,
) -> None:
    world = World()
    streams = {name: aggregate.stream(name) for name in ids}
    for name, command in sequence:
        decided = execute(world, streams[name], command, Request())
        for stream in streams.values() if invariant is not None else ():
            state = world.state(stream)
            assert invariant is None or invariant(state), (
                f"after {command!r} to {streams[name]}, which gave {dict(decided.events)}, "
                f"the invariant does not hold for {state}"
            )


def _ids(aggregate: Aggregate[Any, Any, Any]) -> list[str]:
    prefix = ["test"] * (aggregate.routing_parts or 0)
    return [":".join([*prefix, name]) for name in "ab"]

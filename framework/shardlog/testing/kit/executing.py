"""One command in a test: decided twice under watch, its outcome checked, and recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec

from shardlog.codec.json import decoder, encode
from shardlog.codec.places import with_value
from shardlog.errors import DomainError, EngineRejection, Rejection, check_code
from shardlog.ids import in_words
from shardlog.model.aggregate import Decision
from shardlog.model.context import Context
from shardlog.model.messages import Command, Event
from shardlog.model.names import closest
from shardlog.model.upcasting import as_events
from shardlog.testing.kit.loading import KitTransaction
from shardlog.testing.kit.purity import Kind, purely
from shardlog.testing.kit.world import AnyAggregate, AnyStream, Request, World, must_be_complete

__tracebackhide__ = True


class Decided(msgspec.Struct, frozen=True):
    """What came of a command: the new events by stream, or why it was refused."""

    events: Mapping[str, Sequence[Event]]
    rejection: Rejection | None = None


_Answer = dict[str, tuple[AnyStream, list[Event]]]


def execute(world: World, stream: AnyStream, command: Command, request: Request) -> Decided:
    """Run a command by the rules of the executor. Raises DomainError or AssertionError where the domain breaks one."""
    must_be_complete(stream.aggregate)
    if world.commands:
        world.now += timedelta(microseconds=1)
    world.commands += 1
    written = encode(command)
    try:
        read = decoder(type(command)).decode(written)
    except msgspec.ValidationError as error:
        why = f"{type(command).__name__}: {in_words(with_value(error, written))}"
        return Decided({}, EngineRejection("invalid_command", why))
    if request.expected_version not in (None, world.version(stream)):
        message = f"{stream} is at version {world.version(stream)}, and {request.expected_version} was expected"
        return Decided({}, EngineRejection("wrong_version", message))
    try:
        answer = _decide_twice(world, stream, read, request)
    except EngineRejection as rejection:
        return Decided({}, rejection)
    except Rejection as rejection:
        _check_code(stream.aggregate, command, rejection)
        world.refuse(stream, type(command), rejection, request)
        return Decided({}, rejection)
    for target, events in answer.values():
        world.record(target, events, request)
    return Decided({name: events for name, (_, events) in answer.items()})


def _decide_twice(world: World, stream: AnyStream, command: Command, request: Request) -> _Answer:
    first = _decide(world, stream, command, _context(world, stream, request))
    second = _decide(world, stream, command, _context(world, stream, request))
    assert first == second, (
        f"{type(command).__name__} was decided twice on the same state and gave two answers:\n  {first}\n  {second}\n"
        "A decision may use only state, command and context."
    )
    return first


def _context(world: World, stream: AnyStream, request: Request) -> Context:
    command_id = f"command-{world.commands}"
    return Context(
        id=stream.id,
        version=world.version(stream),
        time=world.now,
        occurred_at=request.occurred_at or world.now,
        command_id=command_id,
        actor=request.actor,
        tenant=request.tenant,
        correlation_id=command_id,
        seed=command_id.encode(),
    )


def _decide(world: World, stream: AnyStream, command: Command, context: Context) -> _Answer:
    aggregate = stream.aggregate
    transaction = aggregate.transactions.get(type(command))
    if transaction is not None:
        tx = KitTransaction(world, stream, context)
        purely(Kind.DECIDE, transaction, tx, command)
        return {name: (loaded.stream, loaded.new) for name, loaded in tx.loaded.items() if loaded.new}
    decision = aggregate.decisions.get(type(command))
    if decision is None:
        names = [known.__name__ for known in aggregate.commands_by_name.values()]
        name = type(command).__name__
        raise DomainError(
            f"aggregate {aggregate.category!r} has no handler for {name}{closest(name, names)}. "
            f"It handles: {', '.join(names)}"
        )
    events = _decide_one(world, stream, decision, command, context)
    return {str(stream): (stream, events)} if events else {}


def _decide_one(world: World, stream: AnyStream, decision: Decision, command: Command, context: Context) -> list[Event]:
    state, function = world.state(stream), decision.function
    before = encode(state)
    arguments = (state, command, context) if decision.wants_context else (state, command)
    decided = purely(Kind.DECIDE, function, *arguments)
    name = getattr(function, "__name__", repr(function))
    assert encode(state) == before, (
        f"{name} changed the state: a decision returns events, and evolve builds the next state"
    )
    _check_returned(name, decision, decided)
    return list(as_events(decided))


def _check_returned(name: str, decision: Decision, decided: Any) -> None:
    allowed = tuple(event for event in decision.returns if event is not None)
    shown = " | ".join(sorted(event.__name__ for event in allowed))
    if decided is None and None not in decision.returns:
        raise DomainError(f"{name} returned None, and is annotated to return {shown}: a forgotten `return`?")
    if not isinstance(decided, Event | Sequence | None):
        raise DomainError(f"{name} returned {decided!r}, which is not an event")
    for event in as_events(decided):
        if not isinstance(event, Event):
            raise DomainError(f"{name} returned {event!r}, which is not an event")
        if not isinstance(event, allowed):
            raise DomainError(f"{name} returned {type(event).__name__}, and is annotated to return {shown}")


def _check_code(aggregate: AnyAggregate, command: Command, rejection: Rejection) -> None:
    why = check_code(rejection.code)
    if why is not None:
        raise DomainError(
            f"{type(command).__name__} was rejected with the code {rejection.code!r}: {why}"
        ) from rejection
    declared = aggregate.rejects
    if declared is None:
        return
    codes = [str(code) for code in declared]
    if rejection.code not in codes:
        raise DomainError(
            f"{type(command).__name__} was rejected with {rejection.code!r}, which is not in "
            f"{declared.__name__}{closest(rejection.code, codes)}"
        ) from rejection

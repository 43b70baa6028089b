"""What comes with a command, who hears what, and what a row may be written from."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Literal
from uuid import UUID

import msgspec
import pytest

from shardlog import (
    Aggregate,
    AwareDatetime,
    Changes,
    Command,
    Context,
    Domain,
    DomainError,
    Event,
    Key,
    Meta,
    Personal,
    ProcessManager,
    Projection,
    Recorded,
    Rejected,
    Row,
    Sends,
    State,
    StreamId,
    increment,
    put,
    reject,
    replace,
    update,
)
from shardlog.testing.kit import START, Scenario, explore, given, given_erased, on, project


class Note(State):
    noted: int = 0
    refused: int = 0


class Write(Command):
    text: str = ""


class Ask(Command): ...


class Count(Command): ...


class Written(Event):
    tenant: str
    actor: str
    version: int
    at: AwareDatetime
    occurred_at: AwareDatetime


class Asked(Event): ...


class Counted(Event): ...


note = Aggregate("note", initial=Note(), routing_parts=1)


@note.decides
def write(state: Note, command: Write, context: Context) -> Written:
    if command.text == "refuse":
        reject("refused", "as told")
    return Written(
        tenant=context.tenant,
        actor=context.actor,
        version=context.version,
        at=context.time,
        occurred_at=context.occurred_at,
    )


@note.decides
def ask(state: Note, command: Ask) -> Asked:
    return Asked()


@note.decides
def count(state: Note, command: Count) -> Counted:
    return Counted()


@note.evolves
def noted(state: Note, event: Written) -> Note:
    return replace(state, noted=state.noted + 1)


@note.evolves
def counted(state: Note, event: Counted) -> Note:
    return replace(state, refused=state.refused + 1)


note.ignores(Asked)

A, B = note.stream("a:1"), note.stream("b:1")


def test_a_decision_knows_what_came_with_its_command() -> None:
    earlier = datetime(2025, 12, 31, tzinfo=UTC)
    hour = timedelta(hours=1)
    given(note, Asked()).when(Write(), actor="ada", tenant="acme", occurred_at=earlier, after=hour).then(
        Written(tenant="acme", actor="ada", version=1, at=START + hour, occurred_at=earlier)
    )


def test_what_did_not_say_when_it_happened_happened_at_the_time_of_the_frame() -> None:
    given(note).when(Write()).then(Written(tenant="", actor="", version=0, at=START, occurred_at=START))


class Seen(Row):
    id: Key[str]
    tenant: str
    occurred_at: AwareDatetime


def test_a_projection_knows_what_came_with_the_command() -> None:
    seen = Projection("seen", rows=[Seen])

    @seen.on
    def written(event: Written, recorded: Recorded) -> Changes:
        return put(Seen(id=recorded.id, tenant=recorded.tenant, occurred_at=recorded.occurred_at))

    earlier = datetime(2025, 12, 31, tzinfo=UTC)
    (
        Scenario(Domain("notes", aggregates=[note]), projections=[seen])
        .when(A, Write(), tenant="acme", occurred_at=earlier)
        .when(B, Write())
        .then_rows(
            seen,
            Seen(id="a:1", tenant="acme", occurred_at=earlier),
            Seen(id="b:1", tenant="", occurred_at=START + timedelta(microseconds=1)),
        )
    )


def test_a_refusal_is_heard_by_the_manager_that_sent_the_command_and_by_no_other() -> None:
    sender, bystander = ProcessManager("sender"), ProcessManager("bystander")

    @sender.on
    def sends(event: Asked, recorded: Recorded) -> Sends:
        assert recorded.position is None
        return note.send(recorded.id, Write(text="refuse"))

    @sender.on_rejected
    def refused(rejected: Rejected[Write]) -> Sends:
        assert (rejected.code, rejected.message, rejected.command) == ("refused", "as told", Write(text="refuse"))
        return note.send(rejected.id, Count())

    @bystander.on_rejected
    def overheard(rejected: Rejected[Write]) -> Sends:
        return note.send(B.id, Count())

    both = Domain("notes", aggregates=[note], process_managers=[sender, bystander])
    Scenario(both).when(A, Ask()).then_state(A, Note(refused=1)).then_state(B, Note())


def test_a_refusal_of_a_client_s_own_command_is_heard_by_no_manager() -> None:
    listener = ProcessManager("listener")

    @listener.on_rejected
    def refused(rejected: Rejected[Write]) -> Sends:
        return note.send(rejected.id, Count())

    domain = Domain("notes", aggregates=[note], process_managers=[listener])
    Scenario(domain).when(A, Write(text="refuse")).then_rejected("refused").then_state(A, Note())


class Tally(Row):
    word: Key[str]
    count: int = 0
    last: str = ""


def test_a_row_of_increments_may_be_written_from_anywhere() -> None:
    tallies = Projection("tallies", rows=[Tally])

    @tallies.on
    def tallied(event: Asked, recorded: Recorded) -> Changes:
        return increment(Tally, "asked", count=1)

    project(tallies, on(A, Asked()), on(B, Asked(), Asked())).then_rows(Tally(word="asked", count=3))


def test_an_increment_does_not_commute_with_an_update_from_another_routing_key() -> None:
    tallies = Projection("tallies", rows=[Tally])

    @tallies.on
    def tallied(event: Asked | Counted, recorded: Recorded) -> Changes:
        return increment(Tally, "asked", count=1) if isinstance(event, Asked) else update(Tally, "asked", last="x")

    with pytest.raises(DomainError, match=r"increment from note/a:1 .* and update from note/b:1 \(routing key 'b'\)"):
        project(tallies, on(A, Asked()), on(B, Counted()))
    project(tallies, on(A, Asked()), on(B, Counted()), checks_writers=False)
    project(tallies, on(A, Asked(), Counted())).then_rows(Tally(word="asked", count=1, last="x"))


def test_an_evolve_that_remembers_by_itself_is_found_out_by_replay() -> None:
    calls = itertools.count()
    forgetful = Aggregate("forgetful", initial=Note())

    @forgetful.evolves
    def remembered(state: Note, event: Asked) -> Note:
        return replace(state, noted=next(calls))

    with pytest.raises(AssertionError, match="replay gives another state"):
        given(forgetful, Asked())


def test_a_decision_that_remembers_by_itself_is_found_out_by_deciding_twice() -> None:
    calls = itertools.count()
    moody = Aggregate("moody", initial=Note())

    @moody.decides
    def asked(state: Note, command: Ask) -> tuple[Asked, ...]:
        return (Asked(),) * next(calls)

    moody.ignores(Asked)
    with pytest.raises(AssertionError, match="was decided twice on the same state and gave two answers"):
        given(moody).when(Ask())


class Address(msgspec.Struct, frozen=True):
    street: Personal[str]


class Moved(Event):
    to: Address


class Home(State):
    address: Address | None = None


def test_an_erasure_reaches_into_structs() -> None:
    home = Aggregate("home", initial=Home())

    @home.evolves
    def moved(state: Home, event: Moved) -> Home:
        return replace(state, address=event.to)

    given_erased(home, Moved(to=Address(Personal("x")))).then_state(Home(address=Address(Personal(None))))


class Colour(Enum):
    RED = "red"


class Everything(Command, floats=True):
    whole: Annotated[int, Meta(gt=0, lt=10)]
    code: Annotated[str, Meta(pattern="^[A-Z]{3}$")]
    short: Annotated[str, Meta(min_length=1, max_length=3)]
    target: StreamId
    ratio: float
    price: Decimal
    day: date
    lasting: timedelta
    key: UUID
    colour: Colour
    size: Literal["s", "m"]
    pair: tuple[int, str]
    many: tuple[int, ...]
    few: frozenset[str]
    amounts: Mapping[str, int]
    raw: bytes
    secret: Personal[str]
    address: Address | None


def test_exploring_makes_up_values_of_all_that_a_command_may_hold() -> None:
    seen: list[Everything] = []
    box = Aggregate("box", initial=Note())

    @box.decides
    def fill(state: Note, command: Everything) -> Asked:
        seen.append(command)
        return Asked()

    box.ignores(Asked)
    explore(box, runs=30)
    assert seen, "every command that was made up was refused as invalid"

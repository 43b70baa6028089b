"""A projection with handlers of batches, tested on SQLite in memory, and told where batches must not matter."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import insert, select

from shardlog import Aggregate, Batch, Changes, DomainError, Event, Key, Projection, Recorded, Row, State, increment
from shardlog.testing.kit import on, project
from shardlog.testing.sql import project_sql


class Lamp(State): ...


class LitV1(Event, name="lit"):
    hours: int


class Lit(Event, version=2):
    minutes: int


class Broke(Event): ...


class Burnt(Row):
    lamp: Key[str]
    minutes: int = 0


class Longest(Row):
    lamp: Key[str]
    minutes: int


class Sizes(Row):
    place: Key[int]
    events: int


class Unknown(Row):
    lamp: Key[str]


lamp = Aggregate("lamp", initial=Lamp())
lamp.ignores(Lit, Broke)
NORTH, SOUTH = lamp.stream("north"), lamp.stream("south")


@lamp.upcasts
def lit_v1(old: LitV1) -> Lit:
    return Lit(minutes=60 * old.hours)


def lamps() -> Projection:
    projection = Projection("lamps", rows=[Burnt, Longest])

    @projection.on
    def burnt(event: Lit, recorded: Recorded) -> Changes:
        return increment(Burnt, recorded.id, minutes=event.minutes)

    @projection.batch
    def longest(batch: Batch[Lit]) -> None:
        table = batch.table(Longest)
        for id in sorted({recorded.id for _, recorded in batch.events}):
            minutes = max(event.minutes for event, recorded in batch.events if recorded.id == id)
            of_lamp = table.c.lamp == id
            known = batch.connection.execute(select(table.c.minutes).where(of_lamp)).scalar_one_or_none()
            if known is None:
                batch.connection.execute(insert(table).values(lamp=id, minutes=minutes))
            elif known < minutes:
                batch.connection.execute(table.update().where(of_lamp).values(minutes=minutes))

    return projection


def test_rows_of_both_kinds_of_handlers_are_there_and_old_events_are_heard() -> None:
    north = on(NORTH, Lit(minutes=5), Lit(minutes=50), Lit(minutes=20))
    south = on(SOUTH, Broke(), LitV1(hours=1))  # type: ignore[arg-type]  # of an old journal
    projected = project_sql(lamps(), north, south)
    projected.then_rows(
        Burnt(lamp="north", minutes=75),
        Burnt(lamp="south", minutes=60),
        Longest(lamp="north", minutes=50),
        Longest(lamp="south", minutes=60),
    )
    assert projected.rows(Longest)[0] == Longest(lamp="north", minutes=50)
    with pytest.raises(AssertionError, match="expected"):
        projected.then_rows()
    with pytest.raises(DomainError, match="Unknown: projection 'lamps' has no such row"):
        projected.rows(Unknown)


def test_no_events_leave_no_rows() -> None:
    project_sql(lamps()).then_rows()


def test_a_handler_whose_rows_depend_on_where_batches_end_is_found_out() -> None:
    sizes = Projection("sizes", rows=[Sizes])

    @sizes.batch
    def size(batch: Batch[Lit]) -> None:
        place = batch.events[0][1].version
        batch.connection.execute(insert(batch.table(Sizes)).values(place=place, events=len(batch.events)))

    said = (
        "projection 'sizes': table Sizes depends on where batches end. With ends behind event 2 it has "
        "[Sizes(place=1, events=2)], with ends behind event 1, 2 [Sizes(place=1, events=1), Sizes(place=2, events=1)]."
    )
    with pytest.raises(DomainError, match=re.escape(said)):
        project_sql(sizes, on(NORTH, Lit(minutes=5), Lit(minutes=50)))


def test_what_a_handler_or_the_database_refuses_fails_the_test() -> None:
    twice = Projection("twice", rows=[Longest])

    @twice.batch
    def insert_each(batch: Batch[Lit]) -> None:
        rows = [{"lamp": recorded.id, "minutes": event.minutes} for event, recorded in batch.events]
        batch.connection.execute(insert(batch.table(Longest)), rows)

    with pytest.raises(DomainError, match=r"projection 'twice': .*UNIQUE constraint failed: longest_v1.lamp"):
        project_sql(twice, on(NORTH, Lit(minutes=5), Lit(minutes=50)))
    raising = Projection("raising", rows=[Longest])

    @raising.on
    def raises(event: Lit, recorded: Recorded) -> Changes:
        raise LookupError("not in my table")

    with pytest.raises(DomainError, match="LookupError: not in my table"):
        project_sql(raising, on(NORTH, Lit(minutes=5)))


def test_the_kit_whose_rows_are_in_dictionaries_says_where_to_test_it() -> None:
    with pytest.raises(DomainError, match=r"'lamps' has handlers of batches.*project_sql of shardlog.testing.sql"):
        project(lamps(), on(NORTH, Lit(minutes=5)))

"""Projections with handlers of batches in a test: on a SQLite database in memory, in batches of many sizes."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import pairwise

from sqlalchemy import Engine, select

from shardlog.adapters.sql.engine import open_engine
from shardlog.adapters.sql.store import SqlProjectionStore
from shardlog.adapters.sql.tables import table_name
from shardlog.adapters.sql.typed_tables import typed_table
from shardlog.errors import DomainError, ProjectionError
from shardlog.model.messages import Row
from shardlog.model.names import show
from shardlog.model.projection import Projection
from shardlog.ports.builds import Build
from shardlog.ports.projections import Batch
from shardlog.projector.draft import Draft, Listener
from shardlog.projector.heard import Heard, OldEvent
from shardlog.projector.parking import Parking
from shardlog.testing.kit.given import History
from shardlog.testing.kit.world import Happened, World

__tracebackhide__ = True

CUTS = 6
"""In how many ways a journal is cut into batches: as one, event by event, in halves, and at random."""
_Rows = dict[type[Row], list[Row]]


class SqlProjected:
    """The rows of a projection after a journal, in order of their keys."""

    def __init__(self, projection: Projection, rows: _Rows) -> None:
        self._projection = projection
        self._rows = rows

    def rows(self, row: type[Row]) -> list[Row]:
        """The rows of one table. Raises DomainError for a row type that is not the projection's."""
        if row not in self._rows:
            raise DomainError(f"{show(row)}: {self._projection.why_undeclared(row)}")
        return self._rows[row]

    def then_rows(self, *rows: Row) -> SqlProjected:
        """All rows of all tables of the projection, in any order."""
        actual = sorted(repr(row) for table in self._rows.values() for row in table)
        expected = sorted(map(repr, rows))
        assert actual == expected, f"\n  expected {expected}\n  got      {actual}"
        return self


def project_sql(projection: Projection, *histories: History) -> SqlProjected:
    """Run the projection over these histories, one after the other, on SQLite in memory, as a projector does.

    The same events are given in batches of several sizes. Raises DomainError where that makes a difference, naming the
    rows, and where a handler, or the database, refuses an event. Clocks and randomness inside are not watched, and SQL
    that SQLite does not know cannot be tested here.
    """
    items = [_heard(fact) for fact in _journal(histories)]
    found: tuple[list[int], _Rows] | None = None
    for cut in _cuts(len(items)):
        rows = _rows_after(projection, [items[start:end] for start, end in pairwise(cut)])
        if found is not None and rows != found[1]:
            raise DomainError(_differs(projection, found, (cut, rows)))
        found = found or (cut, rows)
    return SqlProjected(projection, {} if found is None else found[1])


def _journal(histories: Sequence[History]) -> Iterator[Happened]:
    world = World()
    for history in histories:
        world.record_past(history.stream, history.events)
    return (fact for fact in world.journal if isinstance(fact, Happened))


def _heard(fact: Happened) -> Heard:
    aggregate = fact.stream.aggregate
    if type(fact.event) in aggregate.upcasters:
        return OldEvent, OldEvent(fact.event, aggregate), fact.recorded
    return type(fact.event), fact.event, fact.recorded


def _cuts(events: int) -> Iterator[list[int]]:
    """Where batches begin and end, the first cut being one batch of all."""
    draw = random.Random(events)  # noqa: S311  # the same cuts each time
    yield [0, events]
    yield list(range(events + 1))
    yield [0, events // 2, events]
    for _ in range(CUTS - 3):
        yield sorted({0, events, *(draw.randrange(events + 1) for _ in range(1 + events // 3))})


def _rows_after(projection: Projection, batches: Sequence[Sequence[Heard]]) -> _Rows:
    engine = open_engine("sqlite://", lock_wait_ms=0)
    store = SqlProjectionStore(engine)
    try:
        build = Build(projection, 1)
        store.builds.begin(build, {})
        listener = Listener(projection, None)
        for items in batches:
            draft = Draft(listener, Parking.none(), {}, dead_letters_max=1)
            try:
                draft.hear(items)
                if not draft.letters:
                    store.write(Batch(build, (), draft.changes(), writers=draft.writers()))
            except ProjectionError as error:
                raise DomainError(f"projection {projection.name!r}: {error}") from error
            if draft.letters:
                letter = draft.letters[0]
                raise DomainError(f"projection {projection.name!r}: {letter.error}\n{letter.traceback}")
        return {row: _table(engine, build, row) for row in projection.rows}
    finally:
        store.close()


def _table(engine: Engine, build: Build, row: type[Row]) -> list[Row]:
    table = typed_table(table_name(build, row), row, engine.dialect.name)
    with engine.begin() as connection:
        found = connection.execute(select(table).order_by(*table.primary_key.columns)).all()
    names = row.__struct_fields__
    return [row(**dict(zip(names, values, strict=True))) for values in found]


def _differs(projection: Projection, one: tuple[list[int], _Rows], other: tuple[list[int], _Rows]) -> str:
    for row in projection.rows:
        only_one = [found for found in one[1][row] if found not in other[1][row]]
        only_other = [found for found in other[1][row] if found not in one[1][row]]
        if only_one or only_other:
            return (
                f"projection {projection.name!r}: table {show(row)} depends on where batches end. With ends behind "
                f"event {_ends(one[0])} it has {only_one or 'no such row'}, with ends behind event {_ends(other[0])} "
                f"{only_other or 'no such row'}. A rebuild's batches end elsewhere: write what follows from the "
                "events, or from the rows behind them, alone"
            )
    raise AssertionError("equal rows differ")


def _ends(cut: Sequence[int]) -> str:
    shown = ", ".join(map(str, cut[1:6]))
    return f"{shown}, ..." if len(cut) > 6 else shown

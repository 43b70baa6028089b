"""What an embedded engine says of its projections, and what it refuses."""

from __future__ import annotations

import logging
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from shardlog import (
    Aggregate,
    Application,
    Changes,
    Command,
    Domain,
    Event,
    Key,
    Personal,
    Projection,
    Recorded,
    Row,
    State,
    increment,
)
from shardlog.adapters.sql.store import SqlProjectionStore
from shardlog.errors import ConfigurationError, TableMismatch
from shardlog.projector.worker import Limits
from shardlog.wiring.embedded import Embedded


class Counter(State): ...


class Count(Command):
    by: int


class Counted(Event):
    by: int


counter = Aggregate("counter", initial=Counter())
counter.ignores(Counted)


@counter.decides
def count(state: Counter, command: Count) -> Counted:
    return Counted(by=command.by)


class Total(Row, name="totals"):
    counter: Key[str]
    total: int = 0


def totals(divisor: int) -> Projection:
    """Sums; a divisor of 0 is a fault in its handler."""
    projection = Projection("totals", rows=[Total])

    @projection.on
    def counted(event: Counted, recorded: Recorded) -> Changes:
        return increment(Total, recorded.id, total=event.by // (divisor if event.by == 13 else 1))

    return projection


def rows(directory: Path) -> list[tuple[str, int]]:
    connection = sqlite3.connect(directory / "projections.sqlite")
    try:
        return connection.execute("SELECT counter, total FROM totals ORDER BY counter").fetchall()
    finally:
        connection.close()


def change_by_hand(directory: Path, statement: str) -> None:
    connection = sqlite3.connect(directory / "projections.sqlite", isolation_level=None, timeout=30)
    connection.execute(statement)
    connection.close()


def test_a_dead_letter_is_logged_and_is_worked_through_when_the_handler_is_mended(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    domain = Domain("counting", aggregates=[counter])
    with Embedded(Application([domain], [totals(0)]), tmp_path) as engine, caplog.at_level(logging.WARNING):
        for by in (1, 13, 2):
            engine.send(counter.stream("a"), Count(by=by))
        engine.send(counter.stream("b"), Count(by=5))
        engine.wait_for_projections()
    assert rows(tmp_path) == [("a", 1), ("b", 5)]
    assert "counter/a version 2" in caplog.text
    assert "ZeroDivisionError" in caplog.text
    with Embedded(Application([domain], [totals(1)]), tmp_path) as engine:
        assert [letter.state for letter in engine.projections.dead_letters("totals")] == ["failed", "parked"]
        assert engine.projections.retry("totals", "counter", "a") == 2
        engine.send(counter.stream("a"), Count(by=3))
        engine.wait_for_projections()
        assert rows(tmp_path) == [("a", 19), ("b", 5)]
        engine.projections.rebuild("totals")
    assert rows(tmp_path) == [("a", 19), ("b", 5)]


@pytest.mark.parametrize("repair", ["resume", "rebuild"])
def test_a_projection_whose_table_is_lost_under_the_engine_goes_on_after_the_repair(
    tmp_path: Path, repair: str, caplog: pytest.LogCaptureFixture
) -> None:
    domain = Domain("counting", aggregates=[counter])
    with Embedded(Application([domain], [totals(1)]), tmp_path) as engine:
        engine.send(counter.stream("a"), Count(by=1))
        engine.wait_for_projections()
        change_by_hand(tmp_path, "ALTER TABLE totals_v1 RENAME TO hidden")
        engine.send(counter.stream("a"), Count(by=2))
        with pytest.raises(TableMismatch, match="totals"):
            engine.wait_for_projections()
        with pytest.raises(TableMismatch):
            engine.raise_errors()
        if repair == "resume":
            change_by_hand(tmp_path, "ALTER TABLE hidden RENAME TO totals_v1")
            engine.projections.resume("totals")
        else:
            engine.projections.rebuild("totals")
        engine.send(counter.stream("a"), Count(by=4))
        engine.wait_for_projections()
        engine.raise_errors()
        assert rows(tmp_path) == [("a", 7)]
    assert caplog.text.count("projection totals has stopped") == 1


def test_readers_and_commands_go_on_while_a_projection_is_rebuilt(tmp_path: Path) -> None:
    domain = Domain("counting", aggregates=[counter])
    limits = Limits(batch_frames_max=1)
    with Embedded(Application([domain], [totals(1)]), tmp_path, projector_limits=limits) as engine:
        for _ in range(200):
            engine.send(counter.stream("a"), Count(by=1))
        engine.wait_for_projections()
        with ThreadPoolExecutor(1) as operator:
            rebuilt = operator.submit(engine.projections.rebuild, "totals")
            seen = []
            while not rebuilt.done():
                engine.send(counter.stream("a"), Count(by=1))
                seen += rows(tmp_path)
            rebuilt.result()
        engine.wait_for_projections()
        assert {name for name, _ in seen} == {"a"}
        assert seen[0] != seen[-1]
        assert min(total for _, total in seen) >= 200
        assert rows(tmp_path) == [("a", 200 + len(seen))]
        with closing(SqlProjectionStore(tmp_path / "projections.sqlite")) as store:
            assert [record.state for record in store.builds.records()] == ["retired", "serving"]


def test_personal_fields_are_refused_where_nothing_can_seal_them(tmp_path: Path) -> None:
    class Person(State):
        name: Personal[str] | None = None

    class Named(Event):
        name: Personal[str]

    person = Aggregate("person", initial=Person())
    person.ignores(Named)
    application = Application([Domain("people", aggregates=[person])], has_key_store=True)
    with pytest.raises(ConfigurationError, match="no key store"):
        Embedded(application, tmp_path)

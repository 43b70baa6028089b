"""A sink's transaction: rows and place together, what was written before is dropped, and nothing is left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Column, Connection, Engine, Integer, MetaData, String, Table, create_engine, insert, select

from domain.banking.messages import Deposited
from shardlog import Position, Recorded
from shardlog.adapters.kafka.settings import KafkaSettings
from shardlog.client.published import Published
from shardlog.errors import CheckpointMoved, Diverged, RowsRefused, StoreUnavailable
from shardlog.faust import SqlSink, events_topic, published_app
from shardlog.faust.places import PLACES
from tests.services.bank_process import application

JOURNAL = "0d9ab5de-9d0b-4b57-8d6f-6a4a7f6b6a11"
NOW = datetime(2026, 11, 29, tzinfo=UTC)
ROWS = Table("written", MetaData(), Column("id", String, primary_key=True), Column("amount", Integer))


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = create_engine(f"sqlite:///{tmp_path / 'rows.sqlite'}", connect_args={"timeout": 0.05})
    ROWS.create(made)
    yield made
    made.dispose()


def sink_on(engine: Engine, tmp_path: Path, name: str = "rows") -> SqlSink:
    settings = KafkaSettings(bootstrap_servers="localhost:1", journal="bank")
    app = published_app("test", settings, datadir=str(tmp_path / "faust"))
    return SqlSink(events_topic(app, "account", application), engine, name, try_s=0.5)


def record(offset: int, at: int, index: int = 0, partition: int = 0, journal: str = JOURNAL) -> Published:
    """A record of the topic at that offset, of the event at offset `at` in the journal."""
    return Published(
        events=(Deposited(amount=1),),
        type="account/deposited/1",
        recorded=Recorded(
            category="account",
            id="a:1",
            version=1,
            time=NOW,
            occurred_at=NOW,
            position=Position(journal, partition, at, index),
        ),
        topic="bank.events.account",
        partition=partition,
        offset=offset,
    )


def write(connection: Connection, records: Sequence[Published]) -> None:
    for one in records:
        connection.execute(insert(ROWS).values(id=one.position.token, amount=1))


def give(sink: SqlSink, *records: Published) -> None:
    partitions: dict[int, list[Published]] = {}
    for one in records:
        partitions.setdefault(one.partition, []).append(one)
    sink._write(partitions, write)


def written(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return [id.removeprefix(f"{JOURNAL}.") for id in connection.scalars(select(ROWS.c.id).order_by(ROWS.c.id))]


def places(engine: Engine) -> list[tuple[int, int, str]]:
    columns = PLACES.c
    with engine.connect() as connection:
        found = connection.execute(select(columns.partition, columns.record_offset, columns.event_id))
        return [(row[0], row[1], row[2].removeprefix(f"{JOURNAL}.")) for row in found]


def test_rows_and_place_are_written_together(engine: Engine, tmp_path: Path) -> None:
    give(sink_on(engine, tmp_path), record(4, 9), record(5, 9, 1), record(0, 3, partition=1))
    assert written(engine) == ["0.9.0", "0.9.1", "1.3.0"]
    assert places(engine) == [(0, 5, "0.9.1"), (1, 0, "1.3.0")]


def test_what_was_written_is_dropped_by_whoever_is_given_it_again(engine: Engine, tmp_path: Path) -> None:
    give(sink_on(engine, tmp_path), record(4, 9), record(5, 9, 1))
    give(sink_on(engine, tmp_path), record(4, 9), record(5, 9, 1), record(7, 11))
    assert written(engine) == ["0.11.0", "0.9.0", "0.9.1"]
    assert places(engine) == [(0, 7, "0.11.0")]


def test_an_event_that_was_published_twice_is_written_once(engine: Engine, tmp_path: Path) -> None:
    """As a reader of uncommitted records sees what a transaction that failed had written."""
    give(sink_on(engine, tmp_path), record(4, 9), record(5, 9, 1), record(6, 9), record(7, 9, 1), record(8, 10))
    assert written(engine) == ["0.10.0", "0.9.0", "0.9.1"]


def test_two_sinks_of_a_database_do_not_know_of_each_other(engine: Engine, tmp_path: Path) -> None:
    give(sink_on(engine, tmp_path), record(4, 9))
    assert sink_on(engine, tmp_path, "others").begin([0]) == {0: None}


def test_a_write_that_raises_leaves_neither_rows_nor_place(engine: Engine, tmp_path: Path) -> None:
    sink = sink_on(engine, tmp_path)

    def fails(connection: Connection, records: Sequence[Published]) -> None:
        write(connection, records)
        raise LookupError("a mistake in the handler")

    with pytest.raises(LookupError):
        sink._write({0: [record(4, 9)]}, fails)
    assert (written(engine), places(engine)) == ([], [])


def test_rows_that_the_database_refuses_are_named(engine: Engine, tmp_path: Path) -> None:
    def twice(connection: Connection, records: Sequence[Published]) -> None:
        write(connection, [*records, *records])

    with pytest.raises(RowsRefused, match="sink 'rows'"):
        sink_on(engine, tmp_path)._write({0: [record(4, 9)]}, twice)
    assert (written(engine), places(engine)) == ([], [])


def test_a_database_that_stays_locked_is_tried_for_its_time_and_then_said(engine: Engine, tmp_path: Path) -> None:
    sink = sink_on(engine, tmp_path)
    with engine.connect() as other:
        other.exec_driver_sql("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="locked"):
            give(sink, record(4, 9))
    give(sink, record(4, 9))
    assert written(engine) == ["0.9.0"]


def test_a_database_that_was_restored_under_a_worker_is_noticed(engine: Engine, tmp_path: Path) -> None:
    sink = sink_on(engine, tmp_path)
    give(sink, record(4, 9))
    with engine.begin() as connection:
        connection.execute(PLACES.update().values(event_id=f"{JOURNAL}.0.8.0", record_offset=3))
    with pytest.raises(CheckpointMoved, match=r"rows end with .*\.0\.8\.0"):
        give(sink, record(5, 10))
    sink.begin([0])
    give(sink, record(5, 10))


def test_events_of_another_journal_are_refused(engine: Engine, tmp_path: Path) -> None:
    sink = sink_on(engine, tmp_path)
    give(sink, record(4, 9))
    with pytest.raises(Diverged, match="another sink"):
        give(sink, record(5, 10, journal="11111111-9d0b-4b57-8d6f-6a4a7f6b6a11"))


def test_reading_anew_begins_at_the_beginning_and_keeps_what_is_there(engine: Engine, tmp_path: Path) -> None:
    sink = sink_on(engine, tmp_path)
    give(sink, record(4, 9))
    sink.read_anew()
    (place,) = sink.begin([0]).values()
    assert place is not None
    assert place.offset == -1
    give(sink, record(0, 8), record(1, 9), record(2, 10))
    assert written(engine) == ["0.10.0", "0.9.0"]
    assert places(engine) == [(0, 2, "0.10.0")]

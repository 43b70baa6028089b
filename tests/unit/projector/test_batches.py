"""Handlers of batches: SQL in the transaction of rows and checkpoint, and what becomes of an event that it refuses."""

from __future__ import annotations

import random
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DBAPIError

from shardlog import Application, Batch, Domain, Projection
from shardlog.adapters.memory.journal import MemoryJournal
from shardlog.adapters.memory.projections import MemoryDatabase, MemoryProjectionStore
from shardlog.adapters.sql import SqlProjectionStore
from shardlog.adapters.sql.engine import open_engine
from shardlog.errors import ConfigurationError
from shardlog.ports.builds import Build
from shardlog.projector.runner import Projector
from shardlog.projector.worker import Limits
from tests.unit.projector.bank import Closed, Deposited, Noted, Opened, Other, Paid, Total, account
from tests.unit.projector.log import JOURNAL, LogWriter
from tests.unit.projector.place import Place
from tests.unit.projector.ranked import Held, Seen, Size, Top, Wrong, ranked

SHARDS = 2


@pytest.fixture
def log() -> LogWriter:
    return LogWriter(MemoryJournal(SHARDS), SHARDS)


def drained(log: LogWriter, place: Place, wrong: Wrong | None = None, frames_max: int = 256) -> Projector:
    application, tops = ranked(wrong)
    projector = Projector(
        log.journal, JOURNAL, SHARDS, application, [tops], place.make(), Limits(batch_frames_max=frames_max)
    )
    projector.drain()
    assert projector.stopped == {}
    return projector


def letters(projector: Projector) -> list[tuple[str, int, str]]:
    return [(found.id, found.stream_version, found.state) for found in projector.dead_letters("tops").letters()]


def test_a_handler_of_batches_hears_what_it_names_and_finds_the_rows_of_the_batch_written(
    log: LogWriter, place: Place
) -> None:
    ids = ("a:1", "a:2", "a:3", "b:1")
    log.happened(*[(id, Opened(owner="ann")) for id in ids], ("a:1", Noted(text="heard by nobody")))
    log.happened(*[(id, Deposited(amount=amount)) for id, amount in zip(ids, (50, 200, 70, 7), strict=True)])
    drained(log, place)
    assert place.rows(Top) == [("a", 1, "a:2", 200), ("a", 2, "a:3", 70), ("b", 1, "b:1", 7)]


def test_values_are_written_and_read_back_as_rows_hold_them(log: LogWriter, place: Place) -> None:
    log.happened(("a:1", Deposited(amount=150)), occurred_at=1_357_020_000_000_005)
    drained(log, place)
    at = datetime(2013, 1, 1, 6, 0, 0, 5, tzinfo=UTC)
    assert place.rows(Seen) == [("a:1", 1, at, date(2013, 1, 1), Size.LARGE, Decimal("1.5"), True, (150, 1), None)]


def test_rows_that_a_handler_of_batches_writes_have_the_stored_form_of_other_rows(tmp_path: Path) -> None:
    from shardlog import put
    from shardlog.ports.projections import Batch as Written
    from shardlog.projector.coalesce import TableCoalescer

    store = SqlProjectionStore(tmp_path / "projections.sqlite")
    _, tops = ranked()
    build = Build(tops, 1)
    store.builds.begin(build, {})
    row = Seen(account="a", version=1, at=datetime(2013, 1, 1, tzinfo=UTC), day=date(2013, 1, 1), size=Size.SMALL,
               amount=Decimal("1E+3"), is_first=False, parts=(1, 2))  # fmt: skip
    table = TableCoalescer(Seen)
    table.put(put(row).row)
    values = {name: getattr(row, name) for name in row.__struct_fields__}
    store.write(Written(build, tables=[table.changes()]))
    store.write(
        Written(
            build,
            writers=[lambda tables: tables.connection.execute(insert(tables.table(Seen)), values | {"version": 2})],
        )
    )
    store.close()
    with open_engine(tmp_path / "projections.sqlite", 5_000).connect() as connection:
        first, second = connection.exec_driver_sql("SELECT * FROM seen ORDER BY version").all()
    assert first[:1] + first[2:] == second[:1] + second[2:]


def test_an_event_of_an_old_version_is_heard_as_what_it_becomes(log: LogWriter, place: Place) -> None:
    wrong = Wrong()
    log.happened(("a:1", Paid(amounts=(3, 4))))
    projector = drained(log, place, wrong)
    assert wrong.batches[0] == [3, 4]
    assert letters(projector) == [("a:1", 1, "failed")]  # two rows of one version are one too many for `seen`


def test_a_projection_may_have_handlers_of_batches_alone(log: LogWriter, place: Place) -> None:
    alone = Projection("alone", rows=[Total])

    @alone.batch
    def count(batch: Batch[Deposited | Closed]) -> None:
        total = batch.table(Total)
        known = batch.connection.execute(select(total.c.events).where(total.c.kind == "all")).scalar_one_or_none()
        if known is None:
            batch.connection.execute(insert(total).values(kind="all", events=0, amount=0))
        batch.connection.execute(total.update().values(events=total.c.events + len(batch.events)))

    log.happened(("a:1", Deposited(amount=1)), ("b:1", Closed()), ("c:1", Opened(owner="ann")))
    application = Application([Domain("bank", aggregates=[account])], [alone])
    Projector(log.journal, JOURNAL, SHARDS, application, [alone], place.make()).drain()
    assert place.rows(Total, "totals") == [("all", 2, 0)]


@pytest.mark.parametrize(
    "raised", [ValueError("no"), KeyError("no"), RuntimeError("no"), DeprecationWarning("no")], ids=lambda e: repr(e)
)
def test_an_event_that_a_handler_of_batches_refuses_becomes_a_dead_letter_and_all_others_are_written(
    log: LogWriter, place: Place, raised: Exception
) -> None:
    wrong = Wrong()
    wrong.raises_for[13] = raised
    log.happened(*[(f"a:{number}", Opened(owner="ann")) for number in range(6)])
    for amount in (11, 13, 17):
        log.happened(*[(f"a:{number}", Deposited(amount=amount if number == 3 else 1)) for number in range(6)])
    projector = drained(log, place, wrong)
    assert letters(projector) == [("a:3", 3, "failed"), ("a:3", 4, "parked")]
    assert [row[2] for row in place.rows(Held)] == [3, 3, 3, 11, 3, 3]
    assert len(place.rows(Seen)) == 16
    assert type(raised).__name__ in projector.dead_letters("tops").letters()[0].error
    wrong.raises_for.clear()
    assert projector.dead_letters("tops").retry("account", "a:3") == 2
    assert [row[2] for row in place.rows(Held)] == [3, 3, 3, 41, 3, 3]
    assert len(place.rows(Seen)) == 18


@pytest.mark.parametrize("statement", ["INSERT INTO seen (account) VALUES ('x')", "SELECT nonsense"])
def test_an_event_whose_sql_the_database_refuses_becomes_a_dead_letter(
    log: LogWriter, place: Place, statement: str
) -> None:
    wrong = Wrong()
    wrong.sql_for[13] = statement
    log.happened(("a:1", Deposited(amount=11)), ("a:2", Deposited(amount=13)), ("a:3", Deposited(amount=17)))
    projector = drained(log, place, wrong)
    assert letters(projector) == [("a:2", 1, "failed")]
    assert [row[0] for row in place.rows(Held)] == ["a:1", "a:3"]


@pytest.mark.parametrize("end", ["commit", "rollback", "close"])
def test_a_handler_of_batches_cannot_end_the_transaction(log: LogWriter, place: Place, end: str) -> None:
    ends = Projection("ends", rows=[Total])

    @ends.batch
    def count(batch: Batch[Deposited]) -> None:
        batch.connection.execute(insert(batch.table(Total)).values(kind=batch.events[0][1].id, events=1, amount=0))
        if any(event.amount == 13 for event, _ in batch.events):
            getattr(batch.connection, end)()

    log.happened(("a:1", Deposited(amount=13)), ("b:1", Deposited(amount=1)))
    application = Application([Domain("bank", aggregates=[account])], [ends])
    projector = Projector(log.journal, JOURNAL, SHARDS, application, [ends], place.make())
    projector.drain()
    (letter,) = projector.dead_letters("ends").letters()
    assert (letter.id, "ends the transaction" in letter.error) == ("a:1", True)
    assert place.rows(Total, "totals") == [("b:1", 1, 0)]


def test_a_handler_of_batches_that_swallows_an_error_of_the_database_writes_nothing_of_its_event(
    log: LogWriter, place: Place
) -> None:
    hides = Projection("hides", rows=[Total])

    @hides.batch
    def count(batch: Batch[Deposited]) -> None:
        for deposited, recorded in batch.events:
            counted = insert(batch.table(Total)).values(kind=recorded.id, events=deposited.amount, amount=0)
            batch.connection.execute(counted)
            if deposited.amount == 13:
                with suppress(DBAPIError):
                    batch.connection.execute(text("SELECT nonsense"))

    log.happened(("a:1", Deposited(amount=1)), ("a:2", Deposited(amount=13)), ("a:3", Deposited(amount=3)))
    application = Application([Domain("bank", aggregates=[account])], [hides])
    projector = Projector(log.journal, JOURNAL, SHARDS, application, [hides], place.make())
    projector.drain()
    is_lenient = place.engine.dialect.name == "sqlite"  # an error there does not end what came before it
    found = [("a:1", 1, 0), ("a:2", 13, 0), ("a:3", 3, 0)]
    assert place.rows(Total, "totals") == (found if is_lenient else [found[0], found[2]])
    assert len(projector.dead_letters("hides").letters()) == (0 if is_lenient else 1)


def test_a_row_of_another_projection_is_named_with_what_to_write(log: LogWriter, place: Place) -> None:
    strange = Projection("strange", rows=[Total])

    @strange.batch
    def count(batch: Batch[Deposited]) -> None:
        batch.table(hidden[0])

    hidden = [Other]
    log.happened(("a:1", Deposited(amount=1)))
    application = Application([Domain("bank", aggregates=[account])], [strange])
    projector = Projector(log.journal, JOURNAL, SHARDS, application, [strange], place.make())
    projector.drain()
    (letter,) = projector.dead_letters("strange").letters()
    assert (
        "Other: projection 'strange' has no such row. Name it there: `Projection('strange', rows=[Total, Other])`"
        in (letter.error)
    )


@pytest.mark.parametrize("seed", range(5))
def test_the_same_events_in_batches_of_other_sizes_give_the_same_tables(
    log: LogWriter, tmp_path: Path, seed: int
) -> None:
    draw = random.Random(seed)
    for _ in range(60):
        id = f"{draw.choice('abc')}:{draw.randrange(4)}"
        log.happened((id, draw.choice([Opened(owner="ann"), Deposited(amount=draw.randrange(300)), Closed()])))
    found = []
    for frames_max in (1, 2, 7, 256):
        path = tmp_path / f"{frames_max}.sqlite"
        place = Place(lambda path=path: SqlProjectionStore(path), open_engine(path, 5_000))  # type: ignore[misc]
        drained(log, place, frames_max=frames_max)
        found.append([place.rows(row) for row in (Held, Top, Seen)])
        place.close()
    assert all(tables == found[0] for tables in found)
    assert found[0][1]


def test_rows_in_memory_take_no_sql() -> None:
    _, tops = ranked()
    with pytest.raises(ConfigurationError, match=r"'tops' has handlers of batches.*use SQLite or PostgreSQL"):
        MemoryProjectionStore(MemoryDatabase()).builds.begin(Build(tops, 1), {})

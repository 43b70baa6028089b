"""Decimals are numbers in SQL, in SQLite as in PostgreSQL: one order, one equality, whoever asks."""

from __future__ import annotations

import logging
import sqlite3
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import delete, func, insert, select

from shardlog import Application, Batch, Changes, Domain, Index, Join, Key, Projection, Recorded, Row, put
from shardlog.adapters.memory.journal import MemoryJournal
from shardlog.adapters.sql import SqlProjectionStore, teach_decimals
from shardlog.adapters.sql.decimals import compare_decimals
from shardlog.adapters.sql.select_only import SqliteTables
from shardlog.ports.builds import Build
from shardlog.projector.runner import Projector
from shardlog.testing.kit import on
from shardlog.testing.sql import project_sql
from tests.unit.projector.bank import Deposited, account
from tests.unit.projector.log import JOURNAL, LogWriter
from tests.unit.projector.place import Place
from tests.unit.projector.test_as_of import Database, url

__all__ = ["url"]
SHARDS = 2
PRICES = [Decimal(text) for text in ("9.50", "12.5", "10", "10.0", "-2", "100", "-10.5", "0.001", "9.5")]
RANKED = [Decimal(text) for text in ("100", "12.5", "10", "10", "9.50", "9.50", "0.001", "-2", "-10.5")]


class Book(Row, name="books"):
    id: Key[str]
    price: Index[Decimal]
    paid: Decimal | None = None


class Asked(Row, name="asked"):
    """What is asked for each book, another class of the same stream's: equal, with other digits."""

    id: Key[str]
    price: Decimal


class Ranked(Row, name="ranked"):
    """All prices, the highest first."""

    place: Key[int]
    price: Decimal
    least: Decimal
    most: Decimal
    above_ten: int


def shop() -> tuple[Application, Projection]:
    alike = Join("alike", Book, Asked, on=["id", "price"], left_columns=["id"], right_columns={"asked": "price"})
    shop = Projection("shop", rows=[Book, Asked, Ranked], views=[alike])

    @shop.on
    def sold(event: Deposited, recorded: Recorded) -> Changes:
        price = PRICES[event.amount]
        return [
            put(Book(id=recorded.id, price=price, paid=price)),
            put(Asked(id=recorded.id, price=price.quantize(Decimal("0.0001")))),
        ]

    @shop.batch
    def rank(batch: Batch[Deposited]) -> None:
        book, ranked = batch.table(Book), batch.table(Ranked)
        least = select(func.min(book.c.price)).scalar_subquery()
        most = select(func.max(book.c.price)).scalar_subquery()
        above = select(func.count()).where(book.c.price > Decimal(10)).scalar_subquery()
        order = (book.c.price.desc(), book.c.id)
        place = func.row_number().over(order_by=order)
        batch.connection.execute(delete(ranked))
        batch.connection.execute(
            insert(ranked).from_select(list(ranked.c.keys()), select(place, book.c.price, least, most, above))
        )

    return Application([Domain("bank", aggregates=[account])], [shop]), shop


def filled() -> LogWriter:
    log = LogWriter(MemoryJournal(SHARDS), SHARDS)
    log.happened(*[(f"a:{number}", Deposited(amount=number)) for number in range(len(PRICES))])
    return log


def drain(log: LogWriter, store: object) -> None:
    application, projection = shop()
    projector = Projector(log.journal, JOURNAL, SHARDS, application, [projection], store)  # type: ignore[arg-type]
    projector.drain()
    assert projector.stopped == {}
    assert not projector.dead_letters("shop").letters()


def test_a_handler_of_batches_sorts_and_compares_them_as_numbers(place: Place) -> None:
    drain(filled(), place.make())
    rows = place.rows(Ranked)
    assert [price for _, price, *_ in rows] == RANKED
    assert {tuple(row[2:]) for row in rows} == {(Decimal("-10.5"), Decimal(100), 2)}


def test_equal_numbers_join_whatever_digits_they_are_written_with(place: Place) -> None:
    drain(filled(), place.make())
    seen = [(id, Decimal(price)) for id, price in place.seen("alike")]
    assert seen == [(f"a:{number}", price) for number, price in enumerate(PRICES)]


def test_project_sql_gives_what_databases_give() -> None:
    _, projection = shop()
    happened = [on(account.stream(f"a:{number}"), Deposited(amount=number)) for number in range(len(PRICES))]
    rows = project_sql(projection, *happened).rows(Ranked)
    assert [row.price for row in rows] == RANKED
    assert {row.above_ten for row in rows} == {2}


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT price FROM books ORDER BY price DESC, id", RANKED),
        ("SELECT price FROM books WHERE paid >= 10 ORDER BY paid DESC, id", RANKED[:4]),
        ("SELECT price FROM books WHERE price < '9.50' ORDER BY price DESC, id", RANKED[6:]),
        ("SELECT min(price) FROM books", RANKED[-1:]),
        ("SELECT max(paid) FROM books", RANKED[:1]),
        ("SELECT count(*) FROM books GROUP BY price ORDER BY price", [1, 1, 1, 2, 2, 1, 1]),
        ("SELECT count(DISTINCT price) FROM books", [7]),
        ("SELECT price FROM ranked ORDER BY place", RANKED),
    ],
)  # fmt: skip
def test_a_select_gives_the_same_over_tables_that_serve_and_tables_as_they_were(
    url: str | None, sql: str, expected: list[object]
) -> None:
    with Database(url) as database:
        store, tables = database.live()
        scratch = database.scratch()
        log = filled()
        try:
            drain(log, store)
            drain(log, scratch.store)
            for asked in (tables, scratch.finished()):
                with asked.select(sql) as selected:
                    assert [type(expected[0])(value) for (value,) in selected.rows] == expected  # type: ignore[call-arg]
        finally:
            store.close()
            scratch.close()


@pytest.mark.parametrize("other", ["x", "", "NaN", "-Infinity"])
def test_what_is_no_number_comes_behind_and_equals_itself_alone(other: str) -> None:
    """No row holds it; SQLite would go on with an order that is none."""
    assert compare_decimals(other, other) == 0
    assert (compare_decimals("1e300", other), compare_decimals(other, "1e300")) == (-1, 1)
    assert compare_decimals("y", other) == 1


def test_another_program_reads_the_views_and_sorts_by_a_number_that_it_makes(tmp_path: Path) -> None:
    path = tmp_path / "projections.sqlite"
    drain(filled(), SqlProjectionStore(path))
    connection = sqlite3.connect(path)
    try:
        plain = connection.execute("SELECT * FROM books WHERE price + 0 > -5 ORDER BY price + 0 DESC, id").fetchall()
        assert [Decimal(price) for _, price, _ in plain] == RANKED[:-1]
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        teach_decimals(connection)
        taught = connection.execute("SELECT * FROM books ORDER BY price DESC, id").fetchall()
        assert [Decimal(price) for _, price, _ in taught] == RANKED
    finally:
        connection.close()


def test_a_table_of_an_earlier_release_is_served_as_it_was_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "projections.sqlite"
    _, projection = shop()
    build = Build(projection, 1)
    store = SqlProjectionStore(path)
    store.builds.begin(build, {})
    store.prepare(build)
    store.close()
    assert not caplog.messages
    with sqlite3.connect(path) as connection:
        connection.executescript(
            "DROP TABLE books_v1; "
            "CREATE TABLE books_v1 (id TEXT NOT NULL, price TEXT NOT NULL, paid TEXT, PRIMARY KEY (id)) "
            'WITHOUT ROWID, STRICT; CREATE INDEX "books_v1_by_price" ON books_v1 (price)'
        )
    connection.close()
    with caplog.at_level(logging.WARNING):
        drain(filled(), SqlProjectionStore(path))
    (said,) = {message for message in caplog.messages if "as texts" in message}
    assert "'books_v1'" in said and "(price, paid)" in said and "shardlog rebuild" in said
    with SqliteTables(path).select("SELECT max(price) FROM books") as selected:
        assert list(selected.rows) == [("9.50",)]

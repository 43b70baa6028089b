"""The SQL on the analysts' page is run, on the flights tables of a month in PostgreSQL, and gives what it shows."""

from __future__ import annotations

import doctest
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import LiteralString, cast
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from demo.feed import FlightsFeed
from demo.job import FeedInput
from domain.banking import banking
from domain.flights import flights as domain
from projections.banking import balances
from projections.flights import flights
from shardlog import Application
from shardlog.adapters.postgresql import PostgresqlLeases
from shardlog.projector.settings import ProjectionSettings
from shardlog.wiring.embedded import Embedded
from tests.docs.stranger import ROOT, SQL_PAGES, Block, blocks
from tests.services.command_line import shardlog
from tests.services.kafka_roles import eventually

PAGE = ROOT / "docs" / "analysts.md"
RIGHTS = "CREATE ROLE analyst"
SHARDS = 4
SECONDS = 120
Connection = psycopg.Connection[tuple[object, ...]]


@pytest.fixture(scope="module")
def database(postgresql: str) -> Iterator[str]:
    """A database of this page's own, since it uses the schema's usual name."""
    name = f"analysts_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgresql, autocommit=True) as server:
        server.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
    yield urlunsplit(urlsplit(postgresql)._replace(path=f"/{name}"))
    with psycopg.connect(postgresql, autocommit=True) as server:
        server.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))
        server.execute("DROP ROLE IF EXISTS analyst")


@pytest.fixture(scope="module")
def filled(database: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """With the flights of January, and the tables of banking beside."""
    parts = urlsplit(database)
    bare = urlunsplit(parts._replace(netloc=f"{parts.username}@{parts.hostname}:{parts.port}"))
    feed = FlightsFeed(1, SHARDS)
    application = Application(domains=[domain, banking], projections=[flights, balances])
    with Embedded(
        application,
        tmp_path_factory.mktemp("flights"),
        shards=SHARDS,
        inputs=[FeedInput(feed)],
        projection_settings=ProjectionSettings(database=bare, password=parts.password or ""),
    ) as engine:
        eventually(lambda: engine.executor.settled(feed.name) == feed.total(), "not all is executed")
        engine.wait_for_projections(SECONDS)
    with closing(PostgresqlLeases(database, schema="shardlog")) as leases:
        leases.look("page:1:1", ["flights/1"], SECONDS * 1000)
        leases.take("page:1:1", {"flights/1": range(SHARDS)}, SECONDS * 1000)
    return database


@pytest.fixture(scope="module")
def connection(filled: str) -> Iterator[Connection]:
    with psycopg.connect(filled, autocommit=True) as connection:
        connection.execute("SET search_path TO shardlog")
        yield connection


def examples() -> list[tuple[Block, Block | None]]:
    """Each SQL block, with the block below it that shows what it gives, where there is one."""
    found = list(blocks(PAGE))
    below = [*found[1:], None]
    return [
        (block, shown if shown is not None and not shown.language and _is_next(block, shown) else None)
        for block, shown in zip(found, below, strict=True)
        if block.language == "sql" and not block.source.startswith(RIGHTS)
    ]


def _is_next(block: Block, shown: Block) -> bool:
    return shown.line == block.line + block.source.count("\n") + 3


def given(connection: Connection, sql: str) -> str:
    """What it prints, as `shardlog query` does."""
    statement = cast("LiteralString", sql)
    if statement.startswith("COPY"):
        with connection.cursor().copy(statement) as copied:
            return b"".join(bytes(part) for part in copied).decode()
    cursor = connection.execute(statement)
    return "" if cursor.description is None else table([c.name for c in cursor.description], cursor.fetchall())


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    texts = [list(columns), *([_text(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    lines = ["  ".join(v.ljust(w) for v, w in zip(row, widths, strict=True)).rstrip() for row in texts]
    return "\n".join(lines) + "\n"


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@pytest.mark.parametrize(("block", "shown"), examples(), ids=[f"line {block.line}" for block, _ in examples()])
def test_sql_on_the_page_gives_what_it_shows(block: Block, shown: Block | None, connection: Connection) -> None:
    printed = given(connection, block.source)
    if shown is not None:
        assert doctest.OutputChecker().check_output(shown.source, printed, doctest.ELLIPSIS), printed


def test_an_analyst_reads_and_changes_nothing(connection: Connection) -> None:
    """With the rights that the page gives."""
    (rights,) = [block.source for block in blocks(PAGE) if block.source.startswith(RIGHTS)]
    given(connection, rights)
    connection.execute("SET ROLE analyst")
    try:
        assert connection.execute("SELECT count(*) FROM rejections").fetchone() != (0,)
        for change in ("DELETE FROM rejections", "SELECT * FROM shardlog_dead_letters", "CREATE TABLE mine (n int)"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(cast("LiteralString", change))
    finally:
        connection.execute("RESET ROLE")


def test_the_page_draws_the_tables_as_they_are() -> None:
    said = shardlog(ROOT, "erd", "--check", str(PAGE))
    assert said.code == 0, said.out + said.err


def test_every_page_with_sql_is_run_by_a_test() -> None:
    pages = {page.name for page in (ROOT / "docs").rglob("*.md") for block in blocks(page) if block.language == "sql"}
    assert pages == set(SQL_PAGES)

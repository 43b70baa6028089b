"""Builds on a real PostgreSQL: who reads sees the old rows or the new ones, and keeps the rights that were given."""

from __future__ import annotations

import multiprocessing
import random
import signal
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from shardlog import Key, Projection, Row
from shardlog.adapters.postgresql import PostgresqlProjectionStore
from shardlog.adapters.sqlite.journal import SqliteJournal
from shardlog.errors import BuildRefused, StoreUnavailable
from shardlog.ports.builds import Build, BuildKey
from shardlog.ports.projections import Batch, TableChanges
from shardlog.projector.runner import Projector
from tests.services import postgresql_builder
from tests.services.postgresql_builder import SHARDS
from tests.unit.projector.bank import Deposited, Opened, bank
from tests.unit.projector.log import JOURNAL, LogWriter

ROWS = 500
SWITCHES = 60
KILLS_MAX = 60
FRAMES_A_RUN = 20
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.services.postgresql_builder"])


class Shelf(Row, name="shelves"):
    """What stands on shelves.

    shelf: its number.
    """

    shelf: Key[int]
    books: int


class Longer(Row, name="shelves"):
    shelf: Key[int]
    books: int
    colour: str = "red"


class Other(Row, name="shelves"):
    """Shelves, told otherwise."""

    colour: str
    shelf: Key[int]
    books: int


FIRST = Build(Projection("shelves", rows=[Shelf]), 1)
AGAIN = Build(FIRST.projection, 2)
LONGER = Build(Projection("shelves", rows=[Longer], version=2), 1)
OTHER = Build(Projection("shelves", rows=[Other], version=3), 1)


class Analyst:
    """A role that owns nothing. name: of the role."""

    def __init__(self, url: str, schema: str, name: str) -> None:
        self.name = name
        self.connection = psycopg.connect(url, autocommit=True)
        self.run("SET search_path TO {schema}", schema=schema)

    def run(self, statement: str, **names: str) -> list[tuple[object, ...]]:
        """By the superuser that the tests are."""
        cursor = self.connection.execute(
            SQL(statement).format(**{key: Identifier(name) for key, name in names.items()})
        )
        return cursor.fetchall() if cursor.description else []

    def may(self, what: str) -> list[str]:
        """Of these rights, as in `books:SELECT` or `SELECT`, those that the role has on the view."""
        wanted = [(right.rpartition(":")[0], right.rpartition(":")[2], right) for right in what.split()]
        held = []
        for column, right, shown in wanted:
            asked = (
                self.connection.execute(
                    "SELECT has_column_privilege(%s, 'shelves', %s, %s)", (self.name, column, right)
                )
                if column
                else self.connection.execute("SELECT has_table_privilege(%s, 'shelves', %s)", (self.name, right))
            )
            if asked.fetchone() == (True,):
                held.append(shown)
        return held


@pytest.fixture
def store(postgresql: str, postgresql_schema: str) -> Iterator[PostgresqlProjectionStore]:
    store = PostgresqlProjectionStore(postgresql, schema=postgresql_schema)
    store.builds.begin(FIRST, {})
    yield store
    store.close()


@pytest.fixture
def analyst(store: PostgresqlProjectionStore, postgresql: str, postgresql_schema: str) -> Iterator[Analyst]:
    found = Analyst(postgresql, postgresql_schema, postgresql_schema.replace("Test", "Role"))
    found.run("CREATE ROLE {role}", role=found.name)
    yield found
    found.run("DROP OWNED BY {role}", role=found.name)
    found.run("DROP ROLE {role}", role=found.name)
    found.connection.close()


def fill(store: PostgresqlProjectionStore, build: Build, books: int) -> None:
    store.builds.begin(build, {})
    (row,) = build.projection.rows
    puts: list[tuple[object, ...]] = [(n, books) for n in range(ROWS)]
    if row is Longer:
        puts = [(n, books, "red") for n in range(ROWS)]
    if row is Other:
        puts = [("blue", n, books) for n in range(ROWS)]
    store.write(Batch(build, tables=[TableChanges(row, puts, {}, {}, [])]))


@contextmanager
def reading(url: str, schema: str, statement: str) -> Iterator[set[tuple[object, ...]]]:
    """Read without end from four connections, two of them with a prepared statement; all that was seen, or an error."""
    seen: set[tuple[object, ...]] = set()
    begun, stop = threading.Barrier(5), threading.Event()
    errors: list[Exception] = []

    def read(prepares: bool) -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(SQL("SET search_path TO {}").format(Identifier(schema)))
            begun.wait()
            try:
                while not stop.is_set():
                    seen.add(tuple(connection.execute(statement, prepare=prepares).fetchone() or ()))
            except Exception as error:  # noqa: BLE001  # told below
                errors.append(error)

    readers = [threading.Thread(target=read, args=(n % 2 == 0,)) for n in range(4)]
    for reader in readers:
        reader.start()
    begun.wait()
    try:
        yield seen
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    assert errors == []


@pytest.mark.parametrize("second", [AGAIN, LONGER, OTHER])
def test_who_reads_while_views_switch_sees_the_old_rows_or_the_new_and_never_an_error(
    store: PostgresqlProjectionStore, postgresql: str, postgresql_schema: str, second: Build
) -> None:
    fill(store, FIRST, 1)
    fill(store, second, 2)
    with reading(postgresql, postgresql_schema, "SELECT count(*), sum(books), max(shelf) FROM shelves") as seen:
        for n in range(SWITCHES):
            store.builds.switch((FIRST if n % 2 else second).key, {})
    assert seen == {(ROWS, ROWS, ROWS - 1), (ROWS, 2 * ROWS, ROWS - 1)}


@pytest.mark.parametrize("second", [AGAIN, LONGER, OTHER])
def test_rights_on_a_view_outlive_a_switch_there_and_back(
    store: PostgresqlProjectionStore, analyst: Analyst, second: Build
) -> None:
    analyst.run("GRANT SELECT (books), INSERT ON shelves TO {role}", role=analyst.name)
    analyst.run("GRANT UPDATE ON shelves TO {role} WITH GRANT OPTION", role=analyst.name)
    analyst.run("GRANT DELETE ON shelves TO PUBLIC")
    rights = "INSERT UPDATE DELETE SELECT books:SELECT shelf:SELECT"
    grant_option = "UPDATE WITH GRANT OPTION"
    before = analyst.may(rights)
    assert before == ["INSERT", "UPDATE", "DELETE", "books:SELECT"]
    store.builds.begin(second, {})
    for build in (second, FIRST):
        store.builds.switch(build.key, {})
        assert analyst.may(rights) == before
        asked = analyst.connection.execute(
            "SELECT has_table_privilege(%s, 'shelves', %s)", (analyst.name, grant_option)
        )
        assert asked.fetchone() == (True,)


def test_a_view_made_anew_gives_no_right_that_the_old_one_did_not_give(
    store: PostgresqlProjectionStore, analyst: Analyst
) -> None:
    analyst.run("ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT ON TABLES TO {role}", **schema(analyst))
    store.builds.begin(OTHER, {})
    store.builds.switch(OTHER.key, {})
    assert analyst.may("SELECT") == []


def schema(analyst: Analyst) -> dict[str, str]:
    found = analyst.connection.execute("SELECT current_schema()").fetchone()
    assert found is not None
    return {"schema": str(found[0]), "role": analyst.name}


def test_what_analysts_have_built_on_a_view_stays_where_columns_are_added_at_its_end(
    store: PostgresqlProjectionStore, analyst: Analyst
) -> None:
    fill(store, LONGER, 2)
    analyst.run("CREATE VIEW full_shelves AS SELECT shelf FROM shelves WHERE books > 1")
    assert analyst.run("SELECT count(*) FROM full_shelves") == [(0,)]
    store.builds.switch(LONGER.key, {})
    assert analyst.run("SELECT count(*) FROM full_shelves") == [(ROWS,)]


def test_a_switch_that_would_break_what_analysts_have_built_is_refused_by_its_name(
    store: PostgresqlProjectionStore, analyst: Analyst
) -> None:
    fill(store, OTHER, 2)
    analyst.run("CREATE VIEW full_shelves AS SELECT shelf FROM shelves WHERE books > 1")
    with pytest.raises(BuildRefused, match=r"view 'shelves'.*full_shelves depends on.*Drop what depends on it"):
        store.builds.switch(OTHER.key, {})
    assert {record.key: record.state for record in store.builds.records()}[FIRST.key] == "serving"
    assert analyst.run("SELECT count(*) FROM shelves") == [(0,)]
    analyst.run("DROP VIEW full_shelves")
    store.builds.switch(OTHER.key, {})
    assert analyst.run("SELECT count(*) FROM shelves") == [(ROWS,)]


def test_analysts_see_on_the_view_what_the_row_class_says(store: PostgresqlProjectionStore, analyst: Analyst) -> None:
    said = "SELECT obj_description('shelves'::regclass), col_description('shelves'::regclass, 1)"
    assert analyst.run(said) == [("What stands on shelves.\n\nshelf: its number.", "its number.")]
    store.builds.begin(OTHER, {})
    store.builds.switch(OTHER.key, {})
    assert analyst.run(said) == [("Shelves, told otherwise.", None)]


def test_a_switch_gives_way_to_a_long_reading_and_others_read_on(
    store: PostgresqlProjectionStore, analyst: Analyst, postgresql: str, postgresql_schema: str
) -> None:
    fill(store, AGAIN, 2)
    with psycopg.connect(postgresql) as long:
        long.execute(SQL("SELECT count(*) FROM {}").format(Identifier(postgresql_schema, "shelves")))
        with pytest.raises(StoreUnavailable, match="lock timeout"):
            store.builds.switch(AGAIN.key, {})
        assert analyst.run("SELECT count(*) FROM shelves") == [(0,)]
    store.builds.switch(AGAIN.key, {})
    assert analyst.run("SELECT count(*) FROM shelves") == [(ROWS,)]


def test_a_build_that_waits_for_a_long_reading_is_not_called_stopped_and_switches_by_itself(
    tmp_path: Path, postgresql: str, postgresql_schema: str
) -> None:
    now_s = 0.0
    with (
        closing(SqliteJournal(tmp_path, SHARDS)) as journal,
        closing(PostgresqlProjectionStore(postgresql, schema=postgresql_schema)) as store,
    ):
        LogWriter(journal, SHARDS).happened(("a:1", Opened(owner="ann")))
        old, new = bank(version=1), bank(version=2)
        Projector(journal, JOURNAL, SHARDS, old[0], [old[1]], store).drain()
        newer = Projector(journal, JOURNAL, SHARDS, new[0], [new[1]], store, now_s=lambda: now_s)
        with psycopg.connect(postgresql) as long:
            long.execute(SQL("SELECT count(*) FROM {}").format(Identifier(postgresql_schema, "balances")))
            newer.drain()
            waiting = store.builds.records()[1]
            assert (waiting.standing, "lock timeout" in waiting.stopped) == ("building, waits", True)
        now_s += 2
        newer.step()
        assert [(record.standing, record.stopped) for record in store.builds.records()] == [
            ("retired", ""),
            ("serving", ""),
        ]


# -- a rebuild beside those who keep what serves -----------------------------------------------------------------------
class Beside:
    """A journal that grows, a worker of this process that keeps the tables, and rebuilds in other processes."""

    def __init__(self, folder: Path, url: str, schema: str, chance: random.Random) -> None:
        self._folder, self._url, self._schema, self._chance = folder, url, schema, chance
        self.journal = SqliteJournal(folder, SHARDS)
        self._log = LogWriter(self.journal, SHARDS)
        self.store = PostgresqlProjectionStore(url, schema=schema)
        application, balances = bank()
        self.worker = Projector(self.journal, JOURNAL, SHARDS, application, [balances], self.store)

    def happens(self, frames: int) -> None:
        for _ in range(frames):
            id = f"l{self._chance.randrange(30)}:a"
            self._log.happened((id, Opened(owner="ann")), (id, Deposited(amount=self._chance.randrange(100))))

    def rebuilds(self, statements: int, begins_with: str = "") -> bool:
        """Whether a rebuild comes to its end before it is killed, while the worker goes on."""
        arguments = (self._folder, self._url, self._schema, statements, begins_with)
        builder = PROCESSES.Process(target=postgresql_builder.main, args=arguments)
        builder.start()
        frames = 0
        while builder.is_alive():
            if frames < FRAMES_A_RUN:  # else what is slow to start never catches up
                self.happens(1)
                frames += 1
            self.worker.step()
        builder.join()
        assert builder.exitcode in (0, -signal.SIGKILL)
        return builder.exitcode == 0

    def rows(self, table: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self._url) as connection:
            name = Identifier(self._schema, table)
            return connection.execute(SQL("SELECT * FROM {} ORDER BY 1").format(name)).fetchall()

    def close(self) -> None:
        self.store.close()
        self.journal.close()


@pytest.fixture
def beside(tmp_path: Path, postgresql: str, postgresql_schema: str, request: pytest.FixtureRequest) -> Iterator[Beside]:
    found = Beside(tmp_path, postgresql, postgresql_schema, random.Random(request.node.name))
    yield found
    found.close()


def test_a_rebuild_that_is_killed_anywhere_goes_on_and_ends_with_the_rows_of_what_served(
    beside: Beside, postgresql: str, postgresql_schema: str
) -> None:
    beside.happens(400)
    beside.worker.drain()
    chance, kills = random.Random(5), 0
    with reading(postgresql, postgresql_schema, "SELECT count(*) > 0 FROM totals") as seen:
        while not beside.rebuilds(chance.randrange(8, 40) + 2 * kills):
            kills += 1
            assert kills < KILLS_MAX
            assert [record.state for record in beside.store.builds.records()] in (
                ["serving"],
                ["serving", "building"],
                ["retired", "serving"],
            )
    assert kills > 3
    assert seen == {(True,)}
    served = [record.key for record in beside.store.builds.records() if record.state == "serving"]
    assert served != [BuildKey("balances", 1, 1)]
    again = Projector(beside.journal, JOURNAL, SHARDS, bank()[0], [bank()[1]], beside.store)
    again.drain()
    fresh = Build(bank()[1], served[0].number + 1)
    Projector(beside.journal, JOURNAL, SHARDS, bank()[0], [fresh.projection], beside.store, keeps=False).rebuild(
        "balances"
    )
    for table in ("balances", "totals"):
        assert beside.rows(f"{table}_v1_b{served[0].number}") == beside.rows(table)


def test_a_rebuild_that_is_killed_at_the_switch_has_switched_wholly_or_not_at_all(beside: Beside) -> None:
    beside.happens(30)
    beside.worker.drain()
    kills = 0
    while not beside.rebuilds(kills + 1, "CREATE OR REPLACE VIEW"):
        kills += 1
        assert kills < KILLS_MAX
        states = [record.state for record in beside.store.builds.records()]
        assert states in (["serving", "building"], ["retired", "serving"])
        shown = "_v1" if states[0] == "serving" else "_v1_b2"
        for table in ("balances", "totals"):
            assert len(beside.rows(table)) == len(beside.rows(f"{table}{shown}")) > 0
        if states[0] == "retired":
            break
    assert kills > 5

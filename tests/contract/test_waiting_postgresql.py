"""`shardlog_wait_for` on a real PostgreSQL, asked by psql as an analyst would and by a driver as a program would."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from shardlog.adapters.postgresql import PostgresqlProjectionStore
from shardlog.ports.builds import Build
from shardlog.ports.checkpoints import Move
from shardlog.ports.projections import Batch
from shardlog.testing.contracts.tallies import AGAIN, JOURNAL, NEWER, TALLIES, changes, checkpoint
from shardlog.testing.services.postgresql.programs import needed_programs
from tests.contract.test_projection_store_sqlite import EVERYTHING
from tests.missing import or_skip

NOT_THERE_YET = f"{JOURNAL}.0.5.0"
SECONDS = 30
WAITING = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'psql' AND wait_event = 'PgSleep'"


@pytest.fixture
def store(postgresql: str, postgresql_schema: str) -> Iterator[PostgresqlProjectionStore]:
    """Tallies that have read shard 0 up to offset 5."""
    store = PostgresqlProjectionStore(postgresql, schema=postgresql_schema)
    store.builds.begin(TALLIES, {})
    store.write(Batch(TALLIES, [Move(None, checkpoint(5))]))
    yield store
    store.close()


@pytest.fixture
def reader(
    postgresql: str, postgresql_schema: str, store: PostgresqlProjectionStore
) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with psycopg.connect(postgresql, autocommit=True) as connection:
        connection.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(postgresql_schema)))
        yield connection


def wait(reader: psycopg.Connection[tuple[object, ...]], *given: object) -> None:
    places = ", ".join(["%s"] * len(given))
    reader.execute(f"SELECT shardlog_wait_for({places})", given)  # type: ignore[call-overload]  # built here


def psql(url: str, *lines: str) -> subprocess.CompletedProcess[str]:
    """What psql says to these lines, typed in."""
    with or_skip():
        program = needed_programs() / "psql"
    return subprocess.run(
        [program, "-X", "-q", "-A", "-t", "-v", "VERBOSITY=verbose", url],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PGCLIENTENCODING": "UTF8"},
        timeout=SECONDS,
    )


def raised(reader: psycopg.Connection[tuple[object, ...]], *given: object) -> tuple[str, str]:
    """The SQLSTATE and the text of what waiting raises."""
    with pytest.raises(psycopg.Error) as error:
        wait(reader, *given)
    return str(error.value.sqlstate), str(error.value.diag.message_primary)


def test_an_analyst_in_psql_reads_what_a_token_stands_for(
    postgresql: str, postgresql_schema: str, store: PostgresqlProjectionStore
) -> None:
    name = '"' + postgresql_schema.replace('"', '""') + '"'
    database = conninfo_to_dict(postgresql)["dbname"]

    def write_once_somebody_waits() -> None:
        with psycopg.connect(postgresql, autocommit=True) as watching:
            give_up = time.monotonic() + SECONDS
            while watching.execute(WAITING).fetchone() is None:
                assert time.monotonic() < give_up
        move = Move(checkpoint(5), checkpoint(6))
        store.write(Batch(TALLIES, [move], changes(puts=[("a", 1, 7, "seven", None)])))

    writing = threading.Thread(target=write_once_somebody_waits)
    writing.start()
    done = psql(
        postgresql,
        f"\\c {database}",
        f"SET search_path TO {name};",
        f"SELECT shardlog_wait_for('{NOT_THERE_YET}', 30000);",
        "SELECT label FROM contract_tallies;",
    )
    writing.join()
    assert done.stderr == ""
    assert done.stdout.strip() == "seven"


def test_it_can_be_called_by_its_full_name_from_any_search_path(
    postgresql: str, postgresql_schema: str, store: PostgresqlProjectionStore
) -> None:
    name = '"' + postgresql_schema.replace('"', '""') + '"'
    done = psql(postgresql, f"SELECT {name}.shardlog_wait_for(token => '{JOURNAL}.0.4.0', projection => 'tallies');")
    assert (done.returncode, done.stderr) == (0, "")


def test_psql_shows_why_the_wait_was_in_vain_with_a_code_and_what_to_do(
    postgresql: str, postgresql_schema: str, store: PostgresqlProjectionStore
) -> None:
    name = '"' + postgresql_schema.replace('"', '""') + '"'
    done = psql(postgresql, f"SELECT {name}.shardlog_wait_for('{NOT_THERE_YET}', 1);")
    assert "SL004: offset 5 of shard 0 has not been read within 1 ms: tallies has read shard 0 up to" in done.stderr
    assert "HINT:  Wait again, or look at the projection's lag." in done.stderr


def test_a_token_that_was_read_returns_at_once(reader: psycopg.Connection[tuple[object, ...]]) -> None:
    wait(reader, f"{JOURNAL}.0.4.9", 0)
    assert raised(reader, NOT_THERE_YET, 0)[0] == "SL004"


def test_a_shard_that_nobody_has_read_yet_is_waited_for(
    reader: psycopg.Connection[tuple[object, ...]], store: PostgresqlProjectionStore
) -> None:
    state, text = raised(reader, f"{JOURNAL}.3.0.0", 1)
    assert (state, "tallies has read shard 3 up to offset 0" in text) == ("SL004", True)
    store.write(Batch(TALLIES, [Move(None, checkpoint(1, shard=3))]))
    wait(reader, f"{JOURNAL}.3.0.0", 0)


def test_every_projection_is_waited_for(
    reader: psycopg.Connection[tuple[object, ...]], store: PostgresqlProjectionStore
) -> None:
    store.builds.begin(EVERYTHING, {})
    assert raised(reader, f"{JOURNAL}.0.4.0", 1)[0] == "SL004"
    store.write(Batch(EVERYTHING, [Move(None, checkpoint(5))]))
    wait(reader, f"{JOURNAL}.0.4.0", 0)


@pytest.mark.parametrize("beside", [AGAIN, NEWER])
def test_of_a_projection_s_builds_the_one_that_serves_counts(
    reader: psycopg.Connection[tuple[object, ...]], store: PostgresqlProjectionStore, beside: Build
) -> None:
    store.builds.begin(beside, {})
    wait(reader, f"{JOURNAL}.0.4.0", 0)
    store.builds.switch(beside.key, {}, behind_max=None)
    assert raised(reader, f"{JOURNAL}.0.4.0", 0)[0] == "SL004"
    store.write(Batch(beside, [Move(None, checkpoint(6))]))
    wait(reader, f"{JOURNAL}.0.5.0", 0)


def test_one_that_is_stopped_before_the_token_is_said_at_once(
    reader: psycopg.Connection[tuple[object, ...]], store: PostgresqlProjectionStore
) -> None:
    store.builds.note_stopped(TALLIES.key, "a table was changed by hand")
    wait(reader, f"{JOURNAL}.0.4.0", 0)
    state, text = raised(reader, NOT_THERE_YET, 600_000)
    assert (state, text) == (
        "SL005",
        "offset 5 of shard 0 is not read before somebody repairs what is stopped: tallies",
    )
    store.builds.resume(TALLIES.key)
    store.builds.pause(TALLIES.key, is_paused=True)
    assert raised(reader, NOT_THERE_YET, 0)[1].endswith("tallies has read shard 0 up to offset 5, and is paused")


def test_the_named_one_alone_is_waited_for(
    reader: psycopg.Connection[tuple[object, ...]], store: PostgresqlProjectionStore
) -> None:
    store.builds.begin(EVERYTHING, {})
    wait(reader, f"{JOURNAL}.0.4.0", 0, "tallies")
    assert raised(reader, f"{JOURNAL}.0.4.0", 0, EVERYTHING.name)[0] == "SL004"


@pytest.mark.parametrize(
    "token",
    ["", "x", "a.b.c.d", f"{JOURNAL}.0.4", f"{JOURNAL}.0.4.0.", f"{JOURNAL}.-1.4.0", f"{JOURNAL}.0.{'9' * 19}.0",
     f"{JOURNAL}.0.4.0'; DROP TABLE contract_tallies; --", None, f"{JOURNAL}.4.0.0"],
)  # fmt: skip
def test_what_is_no_token_is_refused(reader: psycopg.Connection[tuple[object, ...]], token: str | None) -> None:
    state, text = raised(reader, token)
    assert state == "SL001"
    assert "is no consistency token" in text or "the token is of shard 4, and the journal has 4" in text


def test_a_token_of_another_journal_is_refused(reader: psycopg.Connection[tuple[object, ...]]) -> None:
    other = "11111111-9d0b-4b57-8d6f-6a4a7f6b6a11"
    state, text = raised(reader, f"{other}.0.4.0")
    assert state == "SL002"
    assert other in text
    assert JOURNAL in text


def test_an_unknown_projection_is_refused_with_those_there_are(
    reader: psycopg.Connection[tuple[object, ...]],
) -> None:
    assert raised(reader, NOT_THERE_YET, 0, "talies") == (
        "SL003", "there is no projection 'talies' here; there are: tallies",
    )  # fmt: skip


def test_a_schema_without_projections_has_nothing_to_wait_for(postgresql: str, postgresql_schema: str) -> None:
    with closing(PostgresqlProjectionStore(postgresql, schema=postgresql_schema)), psycopg.connect(postgresql) as held:
        held.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(postgresql_schema)))
        assert raised(held, NOT_THERE_YET) == ("SL003", "there is no projection '' here; there are: none")


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_a_transaction_that_sees_one_moment_is_refused(
    reader: psycopg.Connection[tuple[object, ...]], level: str
) -> None:
    reader.execute(f"BEGIN ISOLATION LEVEL {level}")  # type: ignore[call-overload]  # one of two
    assert raised(reader, NOT_THERE_YET)[0] == "SL006"


@pytest.mark.parametrize("timeout_ms", [-1, 600_001, None])
def test_a_time_out_of_its_range_is_refused(
    reader: psycopg.Connection[tuple[object, ...]], timeout_ms: int | None
) -> None:
    assert raised(reader, NOT_THERE_YET, timeout_ms)[0] == "SL007"


def test_tables_of_the_same_name_in_front_are_not_believed(
    reader: psycopg.Connection[tuple[object, ...]],
) -> None:
    reader.execute("CREATE TEMPORARY TABLE shardlog_checkpoints (projection text)")
    reader.execute("CREATE TEMPORARY TABLE shardlog_builds (projection text)")
    wait(reader, f"{JOURNAL}.0.4.0", 0)


def test_whoever_opens_the_store_again_puts_the_newest_form_in_place(
    reader: psycopg.Connection[tuple[object, ...]], postgresql: str, postgresql_schema: str
) -> None:
    reader.execute(
        "CREATE OR REPLACE FUNCTION shardlog_wait_for(token text, timeout_ms integer DEFAULT 5000,"
        " projection text DEFAULT NULL) RETURNS void LANGUAGE sql AS 'SELECT'"
    )
    wait(reader, "x")
    PostgresqlProjectionStore(postgresql, schema=postgresql_schema).close()
    assert raised(reader, "x")[0] == "SL001"


def test_the_function_says_what_it_does(reader: psycopg.Connection[tuple[object, ...]]) -> None:
    found = reader.execute("SELECT obj_description('shardlog_wait_for'::regproc, 'pg_proc')").fetchone()
    assert found is not None and "consistency token" in str(found[0]) and "SL004 time is up" in str(found[0])

"""What somebody did to tables, events, code or journal: noticed and said with the way out, and afterwards the rows are
those of a fresh rebuild."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from tests.services.postgresql_faults.field import Field
from tests.services.postgresql_faults.judge import assert_equal, difference, fresh
from tests.services.postgresql_faults.ledger import MISFIT, SHARDS
from tests.services.postgresql_faults.storm import retry_all
from tests.services.postgresql_faults.workers import wait_for

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300), pytest.mark.usefixtures("quiet")]
EVENTS = 4_000


@pytest.fixture
def field(tmp_path: Path, postgresql: str, postgresql_schema: str) -> Iterator[Field]:
    field = Field(tmp_path, postgresql, postgresql_schema, EVENTS, seed=3)
    yield field
    field.close()


def execute(field: Field, statement: str) -> None:
    with psycopg.connect(field.url, autocommit=True) as connection:
        connection.execute(SQL("SET search_path TO {}").format(Identifier(field.schema)))
        connection.execute(statement)


def stopped_by(field: Field, error: str, **given: object) -> str:
    """Start a worker, wait until it has stopped by this error, and end it. Returns what it said."""
    worker = field.work(**given)
    worker.wait_until(lambda: bool(worker.stopped), f"stopped by {error}")
    worker.end()
    kind, message = worker.stopped[0]
    assert kind == error, message
    return message


def test_poisoned_events_and_rows_are_dead_letters_with_their_streams_parked_and_all_else_goes_on(field: Field) -> None:
    field.work()
    found = field.finish()
    letters = b"\n".join(found["dead letters"])
    assert b'"error":"ValueError"' in letters
    assert b'"error":"RowsRefused"' in letters
    assert str(MISFIT).encode() in letters
    assert b'"state":"parked"' in letters


def test_a_trouble_that_passes_leaves_dead_letters_that_a_retry_works_through(field: Field) -> None:
    trouble = field.directory / "trouble"
    trouble.touch()
    worker = field.work(trouble=str(trouble))
    wait_for(lambda: sum(field.read().values()) > SHARDS, field.where)
    worker.kill()
    worker = field.work()
    field.wait_until_caught_up()
    assert difference(field.contents(), rebuilt(field))
    assert retry_all(field) > 10
    assert worker.stopped == []
    field.finish()


def rebuilt(field: Field) -> dict[str, tuple[bytes, ...]]:
    return dict(fresh(field.url, field.journal, SHARDS, field.application, field.projection))


def test_handlers_whose_rows_have_a_column_more_are_refused_with_the_way_out_and_the_rows_stay(field: Field) -> None:
    field.begin()
    before = field.contents()
    message = stopped_by(field, "TableMismatch", rows="wider")
    assert "column 'largest' is missing" in message
    assert "next version=" in message
    assert_equal(field.contents(), before)
    field.work()
    field.finish()


@pytest.mark.parametrize(
    ("done", "undone", "said"),
    [
        ("ALTER TABLE {moves} DROP COLUMN note CASCADE", "SELECT 1", "'note' is missing"),
        (
            "ALTER TABLE {moves} ALTER COLUMN amount DROP NOT NULL",
            "ALTER TABLE {moves} ALTER COLUMN amount SET NOT NULL",
            "column 'amount' may be null",
        ),
        (
            "ALTER TABLE {buckets} ADD COLUMN mine text",
            "ALTER TABLE {buckets} DROP COLUMN mine",
            "column 'mine' is not in the row class",
        ),
        ("ALTER TABLE {moves} RENAME TO kept", "ALTER TABLE kept RENAME TO {moves}", "is missing"),
    ],
    ids=["a-column-dropped", "a-column-loosened", "a-column-added", "the-table-gone"],
)
def test_a_table_that_was_changed_by_hand_is_refused_with_what_is_wrong_and_goes_on_when_it_is_undone(
    field: Field, done: str, undone: str, said: str
) -> None:
    field.begin()
    tables = physical(field)
    before = field.read()
    execute(field, done.format(**tables))
    message = stopped_by(field, "TableMismatch")
    assert said in message
    assert "Rebuild the projection" in message
    assert field.read() == before
    execute(field, undone.format(**tables))
    if "DROP COLUMN note" not in done:  # what stood in it is gone: only a rebuild has it again
        field.work()
        field.finish()


def test_a_type_that_views_show_is_not_changed_by_hand_at_all(field: Field) -> None:
    field.begin()
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="used by a view"):
        execute(field, "ALTER TABLE {moves} ALTER COLUMN amount TYPE integer".format(**physical(field)))


def physical(field: Field) -> dict[str, str]:
    """By row name, the table that holds the rows; the row name itself may be a view over it."""
    names: dict[str, str] = {}
    with psycopg.connect(field.url) as connection:
        query = "SELECT tablename FROM pg_tables WHERE schemaname = %s ORDER BY length(tablename) DESC"
        for (table,) in connection.execute(query, (field.schema,)):
            for row in field.projection.rows:
                if table == row.__wire_name__ or table.startswith(row.__wire_name__ + "_v"):
                    names[row.__wire_name__] = table
    return names


def test_a_table_changed_under_a_worker_stops_it_where_it_writes_and_no_event_becomes_a_dead_letter(
    field: Field,
) -> None:
    field.begin()
    moves = physical(field)["moves"]
    with field.rows_held():
        worker = field.work()
        field.wait_until_in_a_batch()
        changing = threading.Thread(target=execute, args=(field, f"ALTER TABLE {moves} RENAME COLUMN note TO remark"))
        changing.start()  # it waits for the batch under way, and the next one waits for it
        wait_for(lambda: is_somebody_changing(field), lambda: "a change that waits")
    worker.wait_until(lambda: bool(worker.stopped), "stopped")
    changing.join(30)
    kind, message = worker.stopped[0]
    assert kind == "TableMismatch"
    assert "column 'note' is missing" in message
    execute(field, f"ALTER TABLE {moves} RENAME COLUMN remark TO note")
    worker.end()
    field.work()
    field.finish()


REFUSES_AT_THE_COMMIT = """
CREATE SEQUENCE refusals;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF {when} THEN
            RAISE EXCEPTION 'not today' USING ERRCODE = 'check_violation';
        END IF;
        RETURN NULL;
    END $$;
CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON {moves} DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION refuse()
"""
AT_FIRST = "nextval('refusals') <= 9"
"""A sequence counts on where its transaction is rolled back."""


def refused_today(field: Field) -> list[str]:
    """Streams with a dead letter that the trigger has made."""
    with psycopg.connect(field.url) as connection:
        letters = Identifier(field.schema, "shardlog_dead_letters")
        found = connection.execute(SQL("SELECT id FROM {} WHERE error LIKE '%not today%'").format(letters))
        return [str(id) for (id,) in found]


def test_a_row_that_is_refused_at_the_commit_alone_is_a_dead_letter(field: Field) -> None:
    field.begin()
    execute(field, REFUSES_AT_THE_COMMIT.format(when="NEW.account = 'l5:a'", **physical(field)))
    field.work()
    field.wait_until_caught_up()
    assert refused_today(field) == ["l5:a"]
    execute(field, "DROP FUNCTION refuse CASCADE; DROP SEQUENCE refusals")
    assert retry_all(field) > 1
    field.finish()


def test_a_refusal_that_has_passed_when_the_event_at_fault_is_looked_for_condemns_none(field: Field) -> None:
    field.begin()
    execute(field, REFUSES_AT_THE_COMMIT.format(when=AT_FIRST, **physical(field)))
    worker = field.work()
    field.wait_until_caught_up()
    assert worker.stopped == []
    assert refused_today(field) == []
    execute(field, "DROP FUNCTION refuse CASCADE; DROP SEQUENCE refusals")
    field.finish()


def is_somebody_changing(field: Field) -> bool:
    query = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'ALTER TABLE%'"
    with psycopg.connect(field.url) as connection:
        return connection.execute(query).fetchone() is not None


def test_a_row_that_was_changed_by_hand_is_not_noticed_and_a_rebuild_is_what_repairs_it(field: Field) -> None:
    field.work()
    field.wait_until_caught_up()
    execute(field, "UPDATE balances SET balance = balance + 1 WHERE account = (SELECT min(account) FROM balances)")
    assert difference(field.contents(), rebuilt(field)).startswith("balances: ")
    assert field.workers[0].stopped == []


def test_a_journal_cut_off_behind_the_checkpoint_is_refused_with_the_way_out_and_nothing_is_written(
    field: Field,
) -> None:
    field.begin()
    before = field.contents()
    read = field.read()
    for shard, next in read.items():
        field.journal.truncate(shard, next + 2)
    message = stopped_by(field, "Truncated")
    assert "the journal begins at" in message
    assert "archive" in message
    assert "'ledger'" in message
    assert_equal(field.contents(), before)
    wait_for(lambda: field.read() == read, lambda: "the same checkpoints")

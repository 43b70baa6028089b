"""Faults of a real PostgreSQL in the middle of a batch: nothing half of it, and the same rows at the next trial."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from shardlog.adapters.postgresql import PostgresqlProjectionStore
from shardlog.errors import ProjectionError, StoreUnavailable
from shardlog.ports.checkpoints import Move
from shardlog.ports.projections import Batch, Columns
from shardlog.testing.contracts.tallies import TALLIES, changes, checkpoint
from shardlog.testing.services.postgresql import PostgresqlServer
from tests.services.postgresql_faults.workers import wait_for

SECONDS = 30
N = Columns(("n",), ())
TWO = changes(increments={N: [("a", 1, 1, "none", None, 1), ("b", 1, 1, "none", None, 1)]})


@pytest.fixture
def store(postgresql: str, postgresql_schema: str) -> Iterator[PostgresqlProjectionStore]:
    store = PostgresqlProjectionStore(postgresql, schema=postgresql_schema)
    store.builds.begin(TALLIES, {})
    store.write(Batch(TALLIES, [Move(None, checkpoint(1))], TWO))
    yield store
    store.close()


@pytest.fixture
def other(postgresql: str, postgresql_schema: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with psycopg.connect(postgresql) as connection:
        connection.execute(SQL("SET search_path TO {}").format(Identifier(postgresql_schema)))
        connection.commit()
        yield connection


def wait_until_somebody_waits_for_a_lock(url: str, count: int = 1) -> None:
    waiting = (
        "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'shardlog projector'"
    )
    with psycopg.connect(url, autocommit=True) as connection:
        deadline = threading.Event()
        timer = threading.Timer(SECONDS, deadline.set)
        timer.start()
        while len(connection.execute(waiting).fetchall()) < count:
            assert not deadline.is_set()
        timer.cancel()


def written_beside(store: PostgresqlProjectionStore, batch: Batch) -> tuple[threading.Thread, list[ProjectionError]]:
    """A thread that writes the batch once, and what the store raised, if it did."""
    raised: list[ProjectionError] = []

    def run() -> None:
        try:
            store.write(batch)
        except ProjectionError as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, raised


def test_a_deadlock_is_unavailable_and_the_batch_is_then_written_once(
    store: PostgresqlProjectionStore, other: psycopg.Connection[tuple[object, ...]], postgresql: str
) -> None:
    batch = Batch(TALLIES, [Move(checkpoint(1), checkpoint(2))], TWO)
    other.execute("SET deadlock_timeout = '1h'")  # so that the store's transaction is the one that is broken off
    other.execute("UPDATE contract_tallies SET label = 'other' WHERE kind = 'b'")
    thread, raised = written_beside(store, batch)
    wait_until_somebody_waits_for_a_lock(postgresql)
    other.execute("UPDATE contract_tallies SET label = 'other' WHERE kind = 'a'")
    other.commit()
    thread.join(SECONDS)
    assert [type(error) for error in raised] == [StoreUnavailable]
    assert "DeadlockDetected" in str(raised[0])
    store.write(batch)
    assert other.execute("SELECT kind, n FROM contract_tallies ORDER BY 1").fetchall() == [("a", 2), ("b", 2)]
    assert store.stored(TALLIES.key).checkpoints == {0: checkpoint(2)}


def crossing(first: str, second: str, shard: int) -> Batch:
    """Increments of two statements, of which the first waits at row z, held by somebody, with `first` in hand."""
    added = [(kind, 1, 1, "none", None, 1) for kind in (first, "z")]
    labelled = [(second, 1, 1, "none", None, 1, "set")]
    groups = {N: added, Columns(("n",), ("label",)): labelled}
    return Batch(TALLIES, [Move(None, checkpoint(1, shard))], changes(increments=groups))


def test_of_two_workers_that_meet_crosswise_at_shared_counters_one_is_broken_off_and_all_is_counted_once(
    store: PostgresqlProjectionStore, other: psycopg.Connection[tuple[object, ...]], postgresql: str
) -> None:
    store.write(Batch(TALLIES, [], changes(increments={N: [("z", 1, 0, "none", None, 0)]})))
    before = deadlocks(postgresql)
    other.execute("SELECT 1 FROM contract_tallies WHERE kind = 'z' FOR UPDATE")
    batches = [crossing("a", "b", 1), crossing("b", "a", 2)]
    workers = [written_beside(store, batch) for batch in batches]
    wait_until_somebody_waits_for_a_lock(postgresql, count=2)
    other.rollback()
    for thread, _ in workers:
        thread.join(SECONDS)
    broken = [batch for batch, (_, raised) in zip(batches, workers, strict=True) if raised]
    assert [type(error) for _, raised in workers for error in raised] == [StoreUnavailable]
    store.write(broken[0])
    found = other.execute("SELECT kind, n FROM contract_tallies ORDER BY 1").fetchall()
    assert found == [("a", 3), ("b", 3), ("z", 2)]
    assert store.stored(TALLIES.key).checkpoints.keys() == {0, 1, 2}
    wait_for(lambda: deadlocks(postgresql) > before, lambda: "deadlock that the server has counted")


def deadlocks(url: str) -> int:
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return int(found.fetchall()[0][0])


def test_a_serialization_failure_is_unavailable_and_the_batch_is_then_written_once(
    store: PostgresqlProjectionStore,
    other: psycopg.Connection[tuple[object, ...]],
    postgresql: str,
    postgresql_schema: str,
) -> None:
    strict = PostgresqlProjectionStore(
        f"{postgresql}?options=-cdefault_transaction_isolation%3Dserializable", schema=postgresql_schema
    )
    batch = Batch(TALLIES, [Move(checkpoint(1), checkpoint(2))], TWO)
    other.execute("UPDATE contract_tallies SET label = 'other' WHERE kind = 'b'")
    thread, raised = written_beside(strict, batch)
    wait_until_somebody_waits_for_a_lock(postgresql)
    other.commit()
    thread.join(SECONDS)
    assert [type(error) for error in raised] == [StoreUnavailable]
    assert "SerializationFailure" in str(raised[0])
    strict.write(batch)
    assert other.execute("SELECT kind, n FROM contract_tallies ORDER BY 1").fetchall() == [("a", 2), ("b", 2)]
    strict.close()


def test_a_connection_that_is_terminated_in_mid_batch_is_unavailable_and_the_batch_is_then_written_once(
    store: PostgresqlProjectionStore, other: psycopg.Connection[tuple[object, ...]], postgresql: str
) -> None:
    batch = Batch(TALLIES, [Move(checkpoint(1), checkpoint(2))], TWO)
    other.execute("SELECT 1 FROM contract_tallies WHERE kind = 'b' FOR UPDATE")
    thread, raised = written_beside(store, batch)
    wait_until_somebody_waits_for_a_lock(postgresql)
    other.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE wait_event_type = 'Lock' AND application_name = 'shardlog projector'"
    )
    thread.join(SECONDS)
    other.rollback()
    assert [type(error) for error in raised] == [StoreUnavailable]
    store.write(batch)
    assert other.execute("SELECT kind, n FROM contract_tallies ORDER BY 1").fetchall() == [("a", 2), ("b", 2)]


def test_a_server_killed_in_mid_batch_has_nothing_of_it_and_takes_it_when_it_runs_again(
    start_postgresql: Callable[[], PostgresqlServer],
) -> None:
    server = start_postgresql()
    store = PostgresqlProjectionStore(server.url)
    store.builds.begin(TALLIES, {})
    store.write(Batch(TALLIES, [Move(None, checkpoint(1))], TWO))
    batch = Batch(TALLIES, [Move(checkpoint(1), checkpoint(2))], TWO)
    holder = psycopg.connect(server.url)
    holder.execute("SELECT 1 FROM shardlog.contract_tallies WHERE kind = 'b' FOR UPDATE")
    thread, raised = written_beside(store, batch)
    wait_until_somebody_waits_for_a_lock(server.url)
    server.kill()
    thread.join(SECONDS)
    with suppress(psycopg.Error):
        holder.close()
    assert [type(error) for error in raised] == [StoreUnavailable]
    server.start()
    assert store.stored(TALLIES.key).checkpoints == {0: checkpoint(1)}
    store.write(batch)
    assert server.ask("SELECT sum(n), count(*) FROM shardlog.contract_tallies") == ["4", "2"]
    store.close()


def test_two_workers_at_once_on_one_shard_count_everything_once(
    store: PostgresqlProjectionStore, other: psycopg.Connection[tuple[object, ...]], postgresql: str
) -> None:
    batch = Batch(TALLIES, [Move(checkpoint(1), checkpoint(2))], TWO)
    other.execute("SELECT 1 FROM shardlog_checkpoints FOR UPDATE")
    workers = [written_beside(store, batch) for _ in range(2)]
    wait_until_somebody_waits_for_a_lock(postgresql)
    other.rollback()
    for thread, _ in workers:
        thread.join(SECONDS)
    assert sorted(type(error).__name__ for _, raised in workers for error in raised) == ["CheckpointMoved"]
    assert other.execute("SELECT kind, n FROM contract_tallies ORDER BY 1").fetchall() == [("a", 2), ("b", 2)]

"""Faults of a real MariaDB in the middle of a batch: nothing half of it, and the same rows at the next trial."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pymysql
import pytest
from sqlalchemy.engine import make_url

from shardlog.adapters.sql import SqlProjectionStore
from shardlog.errors import (
    CheckpointMoved,
    ConfigurationError,
    ProjectionError,
    RowsRefused,
    StoreFailed,
    StoreUnavailable,
)
from shardlog.ports.checkpoints import Move
from shardlog.ports.projections import Batch, Columns
from shardlog.testing.contracts.tallies import AGAIN, TALLIES, changes, checkpoint
from shardlog.testing.services.mariadb import MariadbOptions, MariadbServer
from tests.mariadb_fixtures import connected
from tests.missing import or_skip

SECONDS = 30
LOOK_SECONDS = 0.15
"""InnoDB tells of its transactions anew where nobody has asked for 0.1 s: who asks more often hears the old."""
N = Columns(("n",), ())
TWO = changes(increments={N: [("a", 1, 1, "none", None, 1), ("b", 1, 1, "none", None, 1)]})
NEXT = Batch(TALLIES, [Move(checkpoint(1), checkpoint(2))], TWO)


def prepared(url: str, lock_wait_ms: int = 20_000) -> SqlProjectionStore:
    store = SqlProjectionStore(url, lock_wait_ms=lock_wait_ms)
    store.builds.begin(TALLIES, {})
    store.write(Batch(TALLIES, [Move(None, checkpoint(1))], TWO))
    return store


@pytest.fixture
def store(mariadb: str) -> Iterator[SqlProjectionStore]:
    store = prepared(mariadb)
    yield store
    store.close()


@pytest.fixture
def other(mariadb: str) -> Iterator[pymysql.Connection[Any]]:
    connection = connected(mariadb)
    yield connection
    connection.close()


def run(connection: pymysql.Connection[Any], statement: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


def counted(connection: pymysql.Connection[Any]) -> list[tuple[Any, ...]]:
    connection.rollback()
    return run(connection, f"SELECT kind, n FROM {TALLIED} WHERE kind IN ('a', 'b') ORDER BY 1")


TALLIED = "contract_tallies_v1"
WAITING = "SELECT trx_mysql_thread_id FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'"


def wait_for_waiting(url: str, count: int = 1) -> list[int]:
    """The connections that wait for a lock, once there are so many. Only this test's connections use its database."""
    connection = connected(url)
    connection.autocommit(True)
    database = connection.escape(make_url(url).database)
    mine = f"{WAITING} AND trx_mysql_thread_id IN (SELECT id FROM information_schema.processlist WHERE db = {database})"
    deadline = threading.Event()
    timer = threading.Timer(SECONDS, deadline.set)
    timer.start()
    while len(found := run(connection, mine)) < count:
        assert not deadline.wait(LOOK_SECONDS)
    timer.cancel()
    connection.close()
    return [id for (id,) in found]


def written_beside(store: SqlProjectionStore, batch: Batch) -> tuple[threading.Thread, list[ProjectionError]]:
    """A thread that writes the batch once, and what the store raised, if it did."""
    raised: list[ProjectionError] = []

    def write() -> None:
        try:
            store.write(batch)
        except ProjectionError as error:
            raised.append(error)

    thread = threading.Thread(target=write)
    thread.start()
    return thread, raised


def test_a_deadlock_is_unavailable_and_the_batch_is_then_written_once(
    store: SqlProjectionStore, other: pymysql.Connection[Any], mariadb: str
) -> None:
    many = ", ".join(f"('z', {number}, 0, '')" for number in range(500))  # the lighter transaction is broken off
    run(other, f"INSERT INTO {TALLIED} (kind, number, n, label) VALUES {many}")
    run(other, f"UPDATE {TALLIED} SET label = 'other' WHERE kind = 'b' AND number = 1")
    thread, raised = written_beside(store, NEXT)
    wait_for_waiting(mariadb)
    run(other, f"UPDATE {TALLIED} SET label = 'other' WHERE kind = 'a' AND number = 1")
    other.commit()
    thread.join(SECONDS)
    assert [type(error) for error in raised] == [StoreUnavailable]
    assert "1213" in str(raised[0])
    store.write(NEXT)
    assert counted(other) == [("a", 2), ("b", 2)]
    assert store.stored(TALLIES.key).checkpoints == {0: checkpoint(2)}


def test_a_lock_that_is_not_let_go_is_unavailable(mariadb: str, other: pymysql.Connection[Any]) -> None:
    impatient = prepared(mariadb, lock_wait_ms=1_000)
    run(other, f"SELECT 1 FROM {TALLIED} WHERE kind = 'b' FOR UPDATE")
    with pytest.raises(StoreUnavailable, match="1205"):
        impatient.write(NEXT)
    assert counted(other) == [("a", 1), ("b", 1)]
    impatient.write(NEXT)
    assert counted(other) == [("a", 2), ("b", 2)]
    impatient.close()


@pytest.mark.parametrize("kind", ["CONNECTION", "QUERY"])
def test_a_connection_killed_in_mid_batch_is_unavailable_and_the_batch_is_then_written_once(
    store: SqlProjectionStore, other: pymysql.Connection[Any], mariadb: str, kind: str
) -> None:
    run(other, f"SELECT 1 FROM {TALLIED} WHERE kind = 'b' FOR UPDATE")
    thread, raised = written_beside(store, NEXT)
    (waiting,) = wait_for_waiting(mariadb)
    run(other, f"KILL {kind} {waiting}")
    thread.join(SECONDS)
    assert [type(error) for error in raised] == [StoreUnavailable]
    assert counted(other) == [("a", 1), ("b", 1)]
    store.write(NEXT)
    assert counted(other) == [("a", 2), ("b", 2)]


def test_connections_that_were_ended_while_nobody_used_them_are_opened_again(
    store: SqlProjectionStore, other: pymysql.Connection[Any], mariadb: str
) -> None:
    mine, database = other.thread_id(), other.escape(make_url(mariadb).database)
    for (id,) in run(other, f"SELECT id FROM information_schema.processlist WHERE db = {database} AND id != {mine}"):
        run(other, f"KILL {id}")
    store.write(NEXT)
    assert counted(other) == [("a", 2), ("b", 2)]


def test_a_server_killed_in_mid_batch_has_nothing_of_it_and_takes_it_when_it_runs_again(
    start_mariadb: Callable[[], MariadbServer],
) -> None:
    server = start_mariadb()
    store = prepared(server.url)
    holder = connected(server.url)
    run(holder, f"SELECT 1 FROM {TALLIED} WHERE kind = 'b' FOR UPDATE")
    thread, raised = written_beside(store, NEXT)
    wait_for_waiting(server.url)
    server.kill()
    thread.join(SECONDS)
    with suppress(pymysql.Error):
        holder.close()
    assert [type(error) for error in raised] == [StoreUnavailable]
    with pytest.raises(StoreUnavailable, match="2003"):
        store.write(NEXT)
    server.start()
    assert store.stored(TALLIES.key).checkpoints == {0: checkpoint(1)}
    store.write(NEXT)
    assert server.ask(f"SELECT sum(n), count(*) FROM {TALLIED}") == [(4, 2)]
    store.close()


def test_two_workers_at_once_on_one_shard_count_everything_once(
    store: SqlProjectionStore, other: pymysql.Connection[Any], mariadb: str
) -> None:
    run(other, "SELECT 1 FROM shardlog_checkpoints FOR UPDATE")
    workers = [written_beside(store, NEXT) for _ in range(2)]
    wait_for_waiting(mariadb, count=2)
    other.rollback()
    for thread, _ in workers:
        thread.join(SECONDS)
    assert sorted(type(error).__name__ for _, raised in workers for error in raised) == ["CheckpointMoved"]
    assert counted(other) == [("a", 2), ("b", 2)]


def test_two_workers_that_begin_a_shard_at_once_count_everything_once(
    store: SqlProjectionStore, other: pymysql.Connection[Any], mariadb: str
) -> None:
    first = Batch(TALLIES, [Move(None, checkpoint(9, shard=3))], TWO)
    run(other, f"SELECT 1 FROM {TALLIED} WHERE kind = 'a' FOR UPDATE")
    workers = [written_beside(store, first) for _ in range(2)]
    wait_for_waiting(mariadb, count=2)
    other.rollback()
    for thread, _ in workers:
        thread.join(SECONDS)
    assert sorted(type(error).__name__ for _, raised in workers for error in raised) == ["CheckpointMoved"]
    assert counted(other) == [("a", 2), ("b", 2)]


def test_a_table_that_another_process_makes_is_waited_for(mariadb: str, other: pymysql.Connection[Any]) -> None:
    run(other, "SELECT GET_LOCK(CONCAT('shardlog tables ', DATABASE()), 0)")
    with pytest.raises(StoreUnavailable, match="another process makes tables"):
        SqlProjectionStore(mariadb, lock_wait_ms=1_000)
    run(other, "SELECT RELEASE_ALL_LOCKS()")
    SqlProjectionStore(mariadb, lock_wait_ms=1_000).close()


def test_a_server_without_a_free_connection_is_unavailable() -> None:
    with or_skip():
        server = MariadbServer(MariadbOptions(settings={"max-connections": "10", "extra-max-connections": "1"}))
    with server:
        held = []
        with suppress(pymysql.err.OperationalError):
            while True:
                held.append(connected(server.url))
        with pytest.raises(StoreUnavailable, match="1040"):
            SqlProjectionStore(server.url)
        for connection in held:
            connection.close()


def test_a_wrong_password_an_unknown_database_and_a_missing_right_are_for_a_person(
    mariadb: str, other: pymysql.Connection[Any]
) -> None:
    url = make_url(mariadb)
    with pytest.raises(StoreFailed, match="1045") as raised:
        SqlProjectionStore(url.set(password="another-one"))
    assert "another-one" not in str(raised.value)
    with pytest.raises(StoreFailed, match="1049"):
        SqlProjectionStore(url.set(database="nowhere"))
    run(other, "CREATE USER reader IDENTIFIED BY 'reading'")
    try:
        run(other, f"GRANT SELECT ON `{url.database}`.* TO reader")
        with pytest.raises(StoreFailed, match="1142"):
            SqlProjectionStore(url.set(username="reader", password="reading"))
    finally:
        run(other, "DROP USER reader")


def test_a_row_that_a_trigger_refuses_is_refused(store: SqlProjectionStore, other: pymysql.Connection[Any]) -> None:
    run(other, "CREATE TRIGGER refusing BEFORE INSERT ON contract_tallies_v1 FOR EACH ROW SIGNAL SQLSTATE '45000'")
    with pytest.raises(RowsRefused, match="1644"):
        store.write(NEXT)
    run(other, "DROP TRIGGER refusing")
    store.write(NEXT)


def test_without_pymysql_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pymysql", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'shardlog\[mariadb\]'"):
        SqlProjectionStore("mariadb://ann@db/x")


class CutShort:
    """Ends the connection of what runs in a thread where it waits for rows that this one has locked."""

    def __init__(self, url: str, locked: str) -> None:
        self.raised: list[ProjectionError] = []
        self._url = url
        self._holder = connected(url)
        run(self._holder, f"SELECT 1 FROM {locked} FOR UPDATE")  # the gaps too: nothing is inserted

    def run(self, do: Callable[[], object]) -> None:
        def trial() -> None:
            try:
                do()
            except ProjectionError as error:
                self.raised.append(error)

        thread = threading.Thread(target=trial)
        thread.start()
        try:
            (waiting,) = wait_for_waiting(self._url)
            run(self._holder, f"KILL CONNECTION {waiting}")
        finally:
            self._holder.close()
            thread.join(SECONDS)
        assert [type(error) for error in self.raised] == [StoreUnavailable]


def test_a_build_whose_beginning_was_cut_short_begins_again(mariadb: str, other: pymysql.Connection[Any]) -> None:
    store = SqlProjectionStore(mariadb)
    CutShort(mariadb, "shardlog_builds").run(lambda: store.builds.begin(TALLIES, {}))
    assert store.builds.records() == []
    with pytest.raises(CheckpointMoved):  # the tables are there already, and nobody fills them
        store.write(Batch(TALLIES, [Move(None, checkpoint(1))], TWO))
    store.builds.begin(TALLIES, {})
    store.write(Batch(TALLIES, [Move(None, checkpoint(1))], TWO))
    assert run(other, "SELECT kind, n FROM contract_tallies ORDER BY 1") == [("a", 1), ("b", 1)]
    store.close()


def test_a_switch_that_was_cut_short_is_completed_by_the_next_one(
    store: SqlProjectionStore, other: pymysql.Connection[Any], mariadb: str
) -> None:
    store.builds.begin(AGAIN, {})
    CutShort(mariadb, "shardlog_builds").run(lambda: store.builds.switch(AGAIN.key, {}))
    assert [record.state for record in store.builds.records()] == ["serving", "building"]
    store.builds.switch(AGAIN.key, {})
    assert [record.state for record in store.builds.records()] == ["retired", "serving"]
    assert run(other, "SELECT kind, n FROM contract_tallies ORDER BY 1") == []
    impatient = SqlProjectionStore(mariadb, lock_wait_ms=1_000)
    with pytest.raises(StoreUnavailable, match="1205"):  # a reader's transaction is open, and keeps what it has seen
        impatient.builds.switch(TALLIES.key, {})
    other.rollback()
    impatient.close()
    store.builds.switch(TALLIES.key, {})
    assert run(other, "SELECT kind, n FROM contract_tallies ORDER BY 1") == [("a", 1), ("b", 1)]


def test_after_a_switch_that_was_cut_short_the_new_build_can_be_dropped_and_the_old_one_is_shown(
    store: SqlProjectionStore, other: pymysql.Connection[Any], mariadb: str
) -> None:
    store.builds.begin(AGAIN, {})
    CutShort(mariadb, "shardlog_builds").run(lambda: store.builds.switch(AGAIN.key, {}))
    CutShort(mariadb, "shardlog_tables").run(lambda: store.builds.drop(AGAIN.key))
    assert [record.state for record in store.builds.records()] == ["serving", "building"]
    store.builds.drop(AGAIN.key)
    assert [record.state for record in store.builds.records()] == ["serving"]
    assert run(other, "SELECT kind, n FROM contract_tallies ORDER BY 1") == [("a", 1), ("b", 1)]
    store.write(NEXT)
    assert counted(other) == [("a", 2), ("b", 2)]

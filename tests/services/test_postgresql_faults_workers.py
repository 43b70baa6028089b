"""Workers killed, stopped and set against each other in mid-batch, and their server killed: the rows are those of a
fresh rebuild, byte for byte."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from shardlog.testing.services.postgresql import PostgresqlServer
from tests.services.postgresql_faults.field import Field
from tests.services.postgresql_faults.workers import end_postmaster, wait_for, waiting_in_a_batch

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300), pytest.mark.usefixtures("quiet")]
EVENTS = 12_000


@pytest.fixture
def field(tmp_path: Path, postgresql: str, postgresql_schema: str) -> Iterator[Field]:
    field = Field(tmp_path, postgresql, postgresql_schema, EVENTS, seed=1)
    yield field
    field.close()


def test_a_worker_killed_in_mid_batch_leaves_nothing_of_it(field: Field) -> None:
    field.begin()
    before = field.read()
    with field.rows_held():
        worker = field.work()
        field.wait_until_in_a_batch()
        worker.kill()
        assert field.read() == before
    wait_for(lambda: waiting_in_a_batch(field.url) == 0, lambda: "end of the batch of a worker that is gone")
    assert field.read() == before
    field.work()
    field.finish()


def test_a_worker_stopped_in_mid_batch_past_its_lease_is_refused_and_goes_on(field: Field) -> None:
    field.begin()
    before = field.read()
    with field.rows_held():
        stopped = field.work()
        field.wait_until_in_a_batch()
        stopped.send(signal.SIGSTOP)
    other = field.work()
    field.wait_until_caught_up()
    assert sum(field.read().values()) > sum(before.values())
    stopped.send(signal.SIGCONT)
    stopped.wait_until(lambda: holds_shards(field) == 2, "both have shards again")
    assert other.stopped == stopped.stopped == []
    field.finish()


def holds_shards(field: Field) -> int:
    """How many members have leases."""
    with psycopg.connect(field.url) as connection:
        query = psycopg.sql.SQL("SELECT count(DISTINCT owner) FROM {} WHERE until > clock_timestamp()")
        table = psycopg.sql.Identifier(field.schema, "shardlog_leases")
        found = connection.execute(query.format(table)).fetchone()
    assert found is not None
    return int(found[0])


def test_of_two_workers_on_all_shards_at_once_one_is_refused_each_time_and_nothing_counts_twice(field: Field) -> None:
    field.begin()
    with field.rows_held():
        both = [field.work(is_in_group=False) for _ in range(2)]
        field.wait_until_in_a_batch()
    field.wait_until_caught_up()
    assert "CheckpointMoved" in both[0].resumed + both[1].resumed
    field.finish()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGQUIT], ids=["killed", "stopped-immediately"])
def test_a_server_that_ends_in_mid_batch_has_nothing_of_it_and_its_workers_go_on(
    how: signal.Signals, start_postgresql: Callable[[], PostgresqlServer], tmp_path: Path
) -> None:
    server = start_postgresql()
    field = Field(tmp_path, server.url, "shardlog", EVENTS, seed=2)
    try:
        field.begin()
        workers = [field.work(), field.work()]
        with suppress(psycopg.Error), field.rows_held():  # whoever holds rows loses the server too
            field.wait_until_in_a_batch()
            end_postmaster(server, how)
        server.start()
        field.finish()
        assert [worker.stopped for worker in workers] == [[], []]
    finally:
        field.close()

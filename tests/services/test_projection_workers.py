"""Several processes keep the projections of one journal in PostgreSQL: shards move, and rows are as of one worker."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.projection_workers import PROJECTIONS, Ground, WorkerProcess

FRAMES = 60


@pytest.fixture
def ground(tmp_path: Path, postgresql: str, postgresql_schema: str) -> Iterator[Ground]:
    ground = Ground(tmp_path, postgresql, postgresql_schema)
    yield ground
    ground.close()


def finish(ground: Ground) -> None:
    """All is read, every worker ends well, and the rows are those of a fresh rebuild."""
    ground.until_caught_up()
    for worker in ground.workers:
        if worker.popen.poll() is None:
            worker.finish()
    assert ground.rows() == ground.rebuilt_rows()
    assert all(ground.rows().values())


@pytest.mark.parametrize("workers", [2, 3])
def test_a_killed_worker_s_shards_go_to_the_others_and_the_rows_are_those_of_a_fresh_rebuild(
    ground: Ground, workers: int
) -> None:
    ground.happen(FRAMES)
    first, *others = ground.work(workers)
    ground.until_spread([first, *others])
    ground.happen(FRAMES)
    first.kill()
    ground.until_spread(others)
    ground.happen(3)
    finish(ground)


def test_a_worker_killed_in_mid_batch_leaves_nothing_of_it(ground: Ground) -> None:
    first, second = ground.work(2)
    ground.until_spread([first, second])
    first.gate.touch()
    ground.happen(FRAMES)
    ground.until(lambda: ground.read("balances") == ground.end(), "all but the gated one is read")
    first.kill()
    ground.until_spread([second])
    finish(ground)


def test_a_worker_that_joins_gets_its_share(ground: Ground) -> None:
    ground.happen(FRAMES)
    (first,) = ground.work()
    ground.until_spread([first])
    (second,) = ground.work()
    ground.until_spread([first, second])
    (third,) = ground.work()
    ground.happen(FRAMES)
    ground.until_spread([first, second, third])
    finish(ground)


def test_a_worker_that_is_ended_gives_its_shards_back_at_once(ground: Ground) -> None:
    first, second = ground.work(2, lease_ms=600_000)
    both = [first, second]
    ground.until(lambda: sum(len(worker.shards()) for worker in both) >= 8 * len(PROJECTIONS), "all shards are taken")
    holder = max(both, key=lambda worker: len(worker.shards()))
    holder.finish()
    with ground.connect() as connection:
        left = connection.execute("SELECT count(DISTINCT owner), count(DISTINCT member) FROM shardlog_leases"
                                  " FULL JOIN shardlog_members ON owner = member").fetchone()  # fmt: skip
    assert left is not None and max(left) <= 1


def test_a_worker_stopped_past_its_lease_is_refused_by_the_checkpoint_and_goes_on_as_a_member(ground: Ground) -> None:
    first, second = ground.work(2)
    ground.until_spread([first, second])
    first.gate.touch()
    ground.happen(FRAMES)
    ground.until(lambda: ground.read("balances") == ground.end(), "all but the gated one is read")
    first.signal(signal.SIGSTOP)  # in its handler, with a batch in hand
    ground.until(lambda: len(second.shards()) == 8 * len(PROJECTIONS), "the other has all shards")
    ground.until_caught_up()
    first.gate.unlink()
    first.signal(signal.SIGCONT)
    ground.until_spread([first, second])
    ground.until(lambda: first.shown("gated").moved == 1, "the batch in hand was refused")
    assert "another process wrote while a batch was written here" in first.errors.read_text()
    ground.happen(FRAMES)
    finish(ground)


def test_a_slow_handler_holds_up_no_other_projection(ground: Ground) -> None:
    (worker,) = ground.work()
    ground.until_spread([worker])
    worker.gate.touch()
    ground.happen(FRAMES)
    ground.until(lambda: ground.read("balances") == ground.end(), "the other projection has read all")
    assert ground.read("gated") < ground.end()
    worker.gate.unlink()
    finish(ground)


def test_a_locked_table_holds_up_no_other_projection(ground: Ground) -> None:
    workers: list[WorkerProcess] = ground.work(2)
    ground.until_spread(workers)
    with ground.connect() as holder:
        holder.execute("LOCK TABLE tallies IN ACCESS EXCLUSIVE MODE")
        ground.happen(FRAMES)
        ground.until(lambda: ground.read("balances") == ground.end(), "the other projection has read all")
        assert ground.read("gated") < ground.end()
        holder.rollback()
    finish(ground)


def test_a_worker_stopped_in_a_transaction_loses_its_locks_and_goes_on_as_a_member(ground: Ground) -> None:
    first, second = ground.work(2)
    ground.until_spread([first, second])
    with ground.connect() as holder:
        holder.execute("LOCK TABLE tallies IN ACCESS EXCLUSIVE MODE")
        ground.happen(FRAMES)
        ground.until(lambda: waiting(ground) == 2, "both wait for the table, with their checkpoints locked")
        first.signal(signal.SIGSTOP)
        holder.rollback()
    ground.until_caught_up()
    first.signal(signal.SIGCONT)
    ground.until_spread([first, second])
    finish(ground)


def test_a_new_version_serves_once_all_its_workers_have_built_their_shards(ground: Ground) -> None:
    ground.happen(FRAMES)
    ground.work(2)
    ground.until_caught_up()
    first, second = ground.work(2, version=2)
    ground.until_spread([first, second])
    ground.until(lambda: ground.serving() == {"balances": 2, "gated": 2}, "the new version serves")
    ground.happen(3)
    ground.until(lambda: all(ground.read(name, 2) == ground.end() for name in PROJECTIONS), "the new version has all")
    finish(ground)


def waiting(ground: Ground) -> int:
    """Transactions of workers that wait for a lock."""
    with ground.connect() as connection:
        found = connection.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE wait_event_type = 'Lock' AND application_name = 'shardlog projector'"
        ).fetchone()
    assert found is not None
    return int(found[0])

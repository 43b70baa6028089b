"""Executor processes on a real broker: who serves which shard, how that changes, and that no command suffers by it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shardlog.journal.owners import Announcement
from tests.services.kafka_roles import LEDGERS, SHARDS, Load, Place, eventually


@pytest.fixture
def place(tmp_path: Path, kafka: str, journal_name: str) -> Place:
    """A journal of four shards, for two executors."""
    return Place(tmp_path, kafka, journal_name, executors=2).init()


def owners(place: Place) -> dict[int, str]:
    return {shard: said.owner for shard, said in place.view().owners.items()}


def test_executors_for_different_shards_share_one_journal(place: Place) -> None:
    load = Load(place)
    load.deposit(40)
    with place.serving("executor", "--ordinal", "0") as first, place.serving("executor", "--ordinal", "1") as second:
        first.serves(0, 2)
        second.serves(1, 3)
        load.deposit(40)
        eventually(lambda: load.is_executed_once(place), "not all is executed")
        eventually(lambda: owners(place) == dict(enumerate(["executor-0", "executor-1"] * 2)), "it is not announced")
        assert [place.claims(shard) for shard in range(SHARDS)] == [
            [(1, "executor-0")],
            [(1, "executor-1")],
            [(1, "executor-0")],
            [(1, "executor-1")],
        ]


def test_a_shard_moves_between_running_executors_under_load(place: Place) -> None:
    load = Load(place)
    with place.serving("executor", "--ordinal", "0") as first, place.serving("executor", "--ordinal", "1") as second:
        first.serves(0, 2)
        second.serves(1, 3)
        with load.going_on():
            assert place.run("admin", "assign", "0", "1").code == 0
            first.serves(2)
            second.serves(0, 1, 3)
            assert place.run("admin", "assign", "0", "0").code == 0
            second.serves(1, 3)
            first.serves(0, 2)
        eventually(lambda: load.is_executed_once(place), "not all is executed")
        assert place.claims(0) == [(1, "executor-0"), (2, "executor-1"), (3, "executor-0")]
        assert place.claims(2) == [(1, "executor-0")], "what stays is not claimed again"
        eventually(lambda: place.view().owners[0].epoch == 3, "it is not announced")
    assert list((place.folder / "data" / "snapshots").rglob("*")), "the shard was left with a snapshot"


def test_a_shard_that_is_left_is_released_before_it_is_claimed(place: Place) -> None:
    with place.serving("executor", "--ordinal", "0") as first:
        first.serves(0, 2)
        assert place.run("admin", "assign", "0", "1").code == 0  # which does not run
        first.serves(2)
        meta = place.view().known_meta
        eventually(lambda: place.view().owners[0] == Announcement(meta.journal, 0, 1, "", ""), "it is not released")
        with place.serving("executor", "--ordinal", "1") as second:
            second.serves(0, 1, 3)
        assert place.claims(0) == [(1, "executor-0"), (2, "executor-1")]


def test_sigterm_finishes_releases_and_ends_with_0(place: Place) -> None:
    load = Load(place, [LEDGERS[0], LEDGERS[2]])
    with place.serving("executor", "--ordinal", "0") as first:
        first.serves(0, 2)
        eventually(lambda: len(place.view().owners) == 2, "it is not announced")
        with load.going_on():
            assert first.terminate() == 0, first.log
        assert {s: (o.owner, o.epoch) for s, o in place.view().owners.items()} == {0: ("", 1), 2: ("", 1)}
    with place.serving("executor", "--ordinal", "0") as again:
        again.serves(0, 2)
        eventually(lambda: load.is_executed_once(place), "not all is executed")


def test_an_executor_that_was_killed_is_followed_by_one_of_its_ordinal(place: Place) -> None:
    load = Load(place, [LEDGERS[0], LEDGERS[2]])
    with load.going_on():
        for epoch in (1, 2, 3):
            with place.serving("executor", "--ordinal", "0") as executor:
                executor.serves(0, 2)
                load.deposit(100)
                executor.kill()
            assert place.claims(0)[-1] == (epoch, "executor-0")
    with place.serving("executor", "--ordinal", "0") as last:
        last.serves(0, 2)
        eventually(lambda: load.is_executed_once(place), "not all is executed")
        eventually(lambda: place.view().owners[0].epoch == 4, "it is not announced")


def test_two_processes_of_one_ordinal_do_no_harm(place: Place) -> None:
    load = Load(place, [LEDGERS[0], LEDGERS[2]])
    with place.serving("executor", "--ordinal", "0") as one:
        one.serves(0, 2)
        with load.going_on(), place.serving("executor", "--ordinal", "0") as other:
            eventually(lambda: len(place.claims(0)) > 2, "they do not contend")
            other.kill()
        one.serves(0, 2)
        eventually(lambda: load.is_executed_once(place), "not all is executed")


def test_an_executor_without_shards_waits_for_some(place: Place) -> None:
    with place.serving("executor", "--ordinal", "7") as idle:
        idle.serves()
        place.run("admin", "assign", "3", "7")
        idle.serves(3)
        assert idle.terminate() == 0


def test_owners_shows_who_should_own_and_who_says_that_it_does(place: Place) -> None:
    place.run("admin", "assign", "3", "0")
    with place.serving("executor", "--ordinal", "0") as executor:
        executor.serves(0, 2, 3)
        eventually(lambda: len(place.view().owners) == 3, "it is not announced")
        rows = place.run("admin", "owners", "--json").json
        assert [(r["shard"], r["assigned"], r["version"], r["owner"], r["epoch"]) for r in rows] == [
            (0, "executor-0", 0, "executor-0", 1),
            (1, "executor-1", 0, "", 0),
            (2, "executor-0", 0, "executor-0", 1),
            (3, "executor-0", 1, "executor-0", 1),
        ]
        shown = place.run("admin", "owners").out
        assert "should be owned by" in shown
        assert shown.count("executor-0") == 6


def test_assigning_is_refused_where_it_means_nothing(place: Place) -> None:
    beyond = place.run("admin", "assign", str(SHARDS), "0")
    assert (beyond.code, beyond.out) == (78, "")
    assert f"shard {SHARDS} is not one of {SHARDS}" in beyond.err
    assert json.loads(place.run("admin", "assign", "1", "0", "--json").out) == {
        "shard": 1,
        "version": 1,
        "owner": "executor-0",
        "executor": None,
    }
    assert place.run("admin", "assign", "1", "0", "--json").json["version"] == 1, "nothing has changed"
    assert place.run("admin", "assign", "1", "1", "--json").json["version"] == 2


def test_assigning_to_an_executor_that_does_not_run_says_that_nobody_serves_the_shard(place: Place) -> None:
    never = place.run("admin", "assign", "3", "1")
    assert never.code == 0
    assert "executor-1 was never started for this journal. Unless another process of it runs, shard 3" in never.err
    assert "shardlog serve executor --ordinal 1" in never.err
    with place.serving("executor", "--ordinal", "1") as executor:
        executor.serves(1, 3)
        eventually(lambda: "executor-1" in place.view().executors, "it does not say that it has started")
        running = place.run("admin", "assign", "2", "1")
        assert (running.code, running.err) == (0, "")
        executor.serves(1, 2, 3)
        assert executor.terminate() == 0
    ended = place.run("admin", "assign", "0", "1")
    assert "executor-1 ended at 20" in ended.err
    assert place.run("admin", "assign", "0", "1", "--json").json["executor"]["state"] == "ended"

"""kill -9 in the middle of snapshots: each restart serves what the journal alone leads to, from a whole snapshot."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from shardlog.adapters.filesystem.objects import INCOMING, FilesystemObjects
from shardlog.adapters.sqlite.control import read_meta
from shardlog.wiring.embedded import Embedded
from shardlog.wiring.snapshotting import shard_snapshots
from tests.services.bank_process import SHARDS, application
from tests.services.processes import BankProcess, left_in
from tests.unit.executor.served import everything

KILLS = 4
DEADLINE_SECONDS = 60.0


def wait_for_half_a_snapshot(folder: Path) -> None:
    """Until one is being written, and one has been."""
    give_up = time.monotonic() + DEADLINE_SECONDS
    incoming = folder / INCOMING
    while not (any(folder.glob("*/*/*.manifest")) and incoming.is_dir() and any(incoming.iterdir())):
        assert time.monotonic() < give_up, "no snapshot was begun"


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory whose process was killed while a snapshot was written, several times."""
    directory = tmp_path_factory.mktemp("killed")
    for run in range(KILLS):
        process = BankProcess(directory, run, "snapshots")
        process.wait_for("serving")
        process.read(20)
        wait_for_half_a_snapshot(directory / "snapshots")
        process.kill()
    return directory


def test_half_a_snapshot_is_left_behind_and_is_none(killed: Path) -> None:
    assert any((killed / "snapshots" / INCOMING).iterdir())
    journal = read_meta(killed).journal
    objects = FilesystemObjects(killed / "snapshots")
    checked = 0
    for shard in range(SHARDS):
        snapshots = shard_snapshots(objects, application, journal, shard)
        for key in snapshots.newest_first():
            snapshots.open(key).check()
            checked += 1
    assert checked


def test_a_restart_serves_what_the_journal_alone_leads_to(killed: Path) -> None:
    left = left_in(killed)
    with Embedded(application, killed, shards=SHARDS, projects=False) as engine:
        began_with = []
        for number, shard in enumerate(left):
            live = engine.executor._shards[number]
            assert everything(live._core.state) == everything(shard.state)
            assert live._snapshots is not None
            began_with.append(live._snapshots._newest)
        assert any(began_with)
        engine.snapshot()
    assert not any((killed / "snapshots" / INCOMING).iterdir())

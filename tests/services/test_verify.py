"""Verification: code that leads elsewhere is found, by stream and event; so is damage. And the same at a start."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from shardlog.cli.exit_codes import ExitCode
from tests.services.command_line import environment, shardlog

SETTINGS = '[application]\ndomains = ["items:shop"]\n[journal]\ndirectory = "journal"\nshards = 1\n'
ITEMS = """
import random
import time

from shardlog import Aggregate, Command, Domain, Event, State, replace


class Item(State):
    quantity: int = 0
    tags: tuple[str, ...] = ()


class Add(Command):
    quantity: int


class Tag(Command):
    tags: tuple[str, ...]


class Added(Event):
    quantity: int


class Tagged(Event):
    tags: tuple[str, ...]


item = Aggregate("item", initial=Item())


@item.decides
def add(state: Item, command: Add) -> Added:
    return Added(quantity=command.quantity)


@item.decides
def tag(state: Item, command: Tag) -> Tagged:
    return Tagged(tags=command.tags)


@item.evolves
def added(state: Item, event: Added) -> Item:
    return replace(state, quantity=state.quantity + event.quantity)


@item.evolves
def tagged(state: Item, event: Tagged) -> Item:
    return replace(state, tags=tuple(sorted(set(event.tags))))


shop = Domain("shop", aggregates=[item])
"""
SENDS = """
import sys

from items import Add, Tag, item
from shardlog.wiring.embedded import Embedded

with Embedded.from_settings("shardlog.toml", projects=False) as engine:
    for id, tags in (("lamp", ""), ("chair", "abcdefgh"), ("table", "")):
        engine.send(item.stream(id), Add(quantity=5))
        if tags:
            engine.send(item.stream(id), Tag(tags=tuple(tags)))
    if "snapshot" in sys.argv:
        engine.snapshot()
"""
CHANGED = {"state.quantity + event.quantity": "state.quantity + 2 * event.quantity"}
BY_HASH_SEED = {"tuple(sorted(set(event.tags)))": "tuple(set(event.tags))"}
BY_CLOCK = {"state.quantity + event.quantity": "time.perf_counter_ns()"}
BY_RANDOMNESS = {"state.quantity + event.quantity": "random.randrange(10**9)"}
RAISES = {"state.quantity + event.quantity": "1 // 0"}


def send(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A process that opens the engine, sends to every item, and perhaps takes a snapshot."""
    command = [sys.executable, "-c", SENDS, *arguments]
    return subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two snapshots, and events before, between and behind them."""
    folder = tmp_path_factory.mktemp("sent")
    (folder / "items.py").write_text(ITEMS)
    (folder / "shardlog.toml").write_text(SETTINGS)
    for arguments in (["snapshot"], ["snapshot"], []):
        assert send(folder, *arguments).stderr == ""
    return folder


@pytest.fixture
def folder(sent: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return shutil.copytree(sent, tmp_path / "copy", ignore=shutil.ignore_patterns("__pycache__"))


def change(folder: Path, changes: Mapping[str, str]) -> None:
    """Other code from here on."""
    code = ITEMS
    for old, new in changes.items():
        assert old in code
        code = code.replace(old, new)
    (folder / "items.py").write_text(code)


def problems(folder: Path, *arguments: str) -> list[dict[str, Any]]:
    said = shardlog(folder, "verify", "--json", *arguments)
    assert said.err == ""
    found: list[dict[str, Any]] = said.json["problems"]
    kinds = {problem["kind"] for problem in found}
    damaged = ExitCode.DAMAGED if "damaged" in kinds else ExitCode.DIFFERS
    assert said.code == (damaged if found else ExitCode.OK)
    return found


def snapshots(folder: Path, kind: str) -> list[Path]:
    """The files of the snapshots, oldest first."""
    return sorted((folder / "journal" / "snapshots").rglob(f"*.{kind}"))


def test_the_code_that_wrote_a_journal_leads_to_the_same_states(folder: Path) -> None:
    said = shardlog(folder, "verify", "--json")
    assert (said.code, said.json["problems"]) == (ExitCode.OK, [])
    (shard,) = said.json["shards"]
    assert shard["start"]
    assert len(shard["compared"]) == 1


def test_from_the_start_every_snapshot_is_compared(folder: Path) -> None:
    (shard,) = shardlog(folder, "verify", "--json", "--from-start").json["shards"]
    assert (shard["start"], len(shard["compared"])) == ("", 2)


def test_code_that_changed_is_found_by_stream_and_first_event(folder: Path) -> None:
    change(folder, CHANGED)
    found = {problem["stream"]: problem for problem in problems(folder)}
    assert {problem["kind"] for problem in found.values()} == {"changed"}
    assert found.keys() == {"item/lamp", "item/chair", "item/table"}
    assert (found["item/lamp"]["event"]["version"], found["item/lamp"]["event"]["type"]) == (2, "item/added/1")
    assert '[2,{"quantity":15,"tags":[]}]' in found["item/lamp"]["text"]
    assert '[2,{"quantity":10,"tags":[]}]' in found["item/lamp"]["text"]
    assert "by version 2 (item/added/1, " in found["item/lamp"]["text"]


def test_a_change_that_some_streams_never_meet_is_told_apart_by_the_type_of_event(folder: Path) -> None:
    change(folder, {"tuple(sorted(set(event.tags)))": 'tuple("x" + tag for tag in event.tags)'})
    (problem,) = problems(folder)
    assert (problem["stream"], problem["event"]["version"]) == ("item/chair", 4)
    assert problem["event"]["type"] == "item/tagged/1"


@pytest.mark.parametrize(
    ("changes", "stream", "type"),
    [
        (BY_HASH_SEED, "item/chair", "item/tagged/1"),
        (BY_CLOCK, "item/lamp", "item/added/1"),
        (BY_RANDOMNESS, "item/lamp", "item/added/1"),
    ],
    ids=["hash seed", "clock", "randomness"],
)
def test_what_evolve_depends_on_beside_state_and_event_is_found(
    changes: dict[str, str], stream: str, type: str, folder: Path
) -> None:
    change(folder, changes)
    found = {problem["stream"]: problem for problem in problems(folder)}
    assert {problem["kind"] for problem in found.values()} == {"unrepeatable"}
    assert found[stream]["event"]["type"] == type


def test_without_snapshots_two_replays_are_compared(folder: Path) -> None:
    shutil.rmtree(folder / "journal" / "snapshots")
    assert problems(folder) == []
    change(folder, BY_HASH_SEED)
    (problem,) = problems(folder)
    assert (problem["stream"], problem["event"]["version"]) == ("item/chair", 2)


def test_code_that_cannot_replay_is_told(folder: Path) -> None:
    change(folder, RAISES)
    (problem,) = problems(folder)
    assert problem["kind"] == "changed"
    assert "evolve of Added raised ZeroDivisionError" in problem["text"]


@pytest.mark.parametrize("kind", ["data", "manifest"])
def test_a_damaged_snapshot_is_named(kind: str, folder: Path) -> None:
    file = snapshots(folder, kind)[-1]
    value = bytearray(file.read_bytes())
    value[len(value) // 2] ^= 1
    file.chmod(0o644)
    file.write_bytes(value)
    (problem,) = problems(folder)
    assert problem["kind"] == "damaged"
    assert file.stem in problem["text"]


def test_a_snapshot_of_other_types_is_left_out_and_said(folder: Path) -> None:
    change(folder, {"    tags: tuple[str, ...] = ()\n": "    tags: tuple[str, ...] = ()\n    colour: str = ''\n"})
    said = shardlog(folder, "verify", "--json")
    assert (said.code, said.json["problems"]) == (ExitCode.OK, [])
    (shard,) = said.json["shards"]
    assert (shard["start"], shard["compared"], len(shard["left_out"])) == ("", [], 2)


def test_a_domain_that_cannot_be_imported_there_is_told_with_what_it_said(folder: Path) -> None:
    (folder / "items.py").write_text(ITEMS + "\nif __import__('os').environ.get('PYTHONHASHSEED') == '1': 1 / 0\n")
    said = shardlog(folder, "verify", PYTHONHASHSEED="7")
    assert said.code == ExitCode.FAILED
    assert "ZeroDivisionError" in said.err
    assert "ended with code 1" in said.err


# -- at a start --------------------------------------------------------------------------------------------------------
def test_a_start_with_code_that_leads_elsewhere_is_refused(folder: Path) -> None:
    change(folder, CHANGED)
    said = send(folder)
    assert said.returncode == 1
    assert "ReplayDiffers: shard 0: this code does not lead to the state that the journal led to: item/" in said.stderr
    assert "delete the folder" in said.stderr


def test_where_the_change_is_meant_the_new_code_replays_everything(folder: Path) -> None:
    change(folder, CHANGED)
    shutil.rmtree(folder / "journal" / "snapshots")
    assert send(folder, "snapshot").stderr == ""
    assert problems(folder) == []


def test_code_that_changed_and_leads_to_the_same_state_starts(folder: Path) -> None:
    change(folder, {"state.quantity + event.quantity": "event.quantity + state.quantity"})
    assert send(folder).returncode == 0


@pytest.mark.parametrize(("when", "refused"), [("never", False), ("changed", True), ("always", True)])
def test_the_setting_says_when_a_start_validates(when: str, refused: bool, folder: Path) -> None:
    change(folder, CHANGED)
    settings = folder / "shardlog.toml"
    settings.write_text(SETTINGS + f'[recovery]\nvalidate_on_start = "{when}"\n')
    assert ("ReplayDiffers" in send(folder).stderr) is refused


def test_a_domain_of_a_script_is_validated_in_the_same_process(folder: Path) -> None:
    change(folder, CHANGED)
    script = (folder / "items.py").read_text() + SENDS.replace("from items import Add, Tag, item\n", "").replace(
        'Embedded.from_settings("shardlog.toml", projects=False)',
        'Embedded(Application([shop]), "journal", shards=1)',
    ).replace("import sys", "import sys\nfrom shardlog import Application")
    (folder / "script.py").write_text(script)
    ran = subprocess.run(
        [sys.executable, "script.py"], cwd=folder, env=environment(), capture_output=True, text=True, check=False
    )
    assert "ReplayDiffers" in ran.stderr

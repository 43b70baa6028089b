"""What `shardlog new` makes works, with the built wheel, where nothing else of shardlog is. Takes a minute."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from shardlog.cli.exit_codes import ExitCode
from tests.services.command_line import ROOT, shardlog

SECONDS = 280


def run(folder: Path, *command: str) -> str:
    """What a command prints; it must succeed, without anything of this checkout or its environment."""
    foreign = ("PYTHON", "SHARDLOG", "VIRTUAL", "MAKE", "MFLAGS")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    ran = subprocess.run(
        command, cwd=folder, env=kept, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SECONDS
    )
    assert ran.returncode == 0, ran.stdout
    return ran.stdout


@pytest.mark.timeout(2 * SECONDS)
def test_a_new_repository_passes_its_tests_and_its_demo_with_the_built_wheel(tmp_path: Path) -> None:
    run(tmp_path, sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", "dist", str(ROOT))
    (wheel,) = (tmp_path / "dist").glob("shardlog-*.whl")
    said = shardlog(tmp_path, "new", "corner_shop", "--from", str(wheel))
    assert said.code == ExitCode.OK
    repository = tmp_path / "corner_shop"
    assert "7 passed" in run(repository, "make", "test", f"PYTHON={sys.executable}")
    demo = run(repository, "make", "demo")
    assert "chair: refused, out_of_stock: 2 are in stock: ship fewer, or receive some first" in demo
    assert demo.splitlines()[-1].split() == ["lamp", "3", "2"]
    assert "the settings hold: 1 aggregate(s), 1 projection(s), 4 shards" in run(repository, "make", "check")


@pytest.mark.timeout(SECONDS)
def test_a_repository_that_a_checkout_makes_has_its_wheel(tmp_path: Path) -> None:
    said = shardlog(tmp_path, "new", "corner_shop")
    assert said.code == ExitCode.OK
    repository = tmp_path / "corner_shop"
    (wheel,) = (repository / "wheels").iterdir()
    assert wheel.name == f"shardlog-{version('shardlog')}-py3-none-any.whl"
    assert f"shardlog[http]=={version('shardlog')}" in (repository / "pyproject.toml").read_text()
    assert "--find-links wheels" in (repository / "Makefile").read_text()


def test_where_no_wheel_can_be_built_the_command_is_told_that_does(tmp_path: Path) -> None:
    said = shardlog(tmp_path, "new", "shop", PIP_NO_INDEX="1", PIP_NO_CACHE_DIR="1", PIP_FIND_LINKS="")
    assert said.code == ExitCode.OK
    assert "could be built (" in said.err
    assert f"before `make`, run: {sys.executable} -m pip wheel" in said.err
    assert (tmp_path / "shop" / "Makefile").exists()


def test_a_folder_that_holds_something_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "mine.txt").write_text("mine")
    said = shardlog(tmp_path, "new", "shop")
    assert said.code == ExitCode.USAGE
    assert "shop holds files, and nothing is written over" in " ".join(said.err.split())
    assert [file.name for file in (tmp_path / "shop").iterdir()] == ["mine.txt"]


def test_what_is_no_wheel_of_shardlog_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other-1.0-py3-none-any.whl"
    other.write_bytes(b"")
    said = shardlog(tmp_path, "new", "shop", "--from", str(other))
    assert said.code == ExitCode.USAGE
    assert "is no wheel of shardlog" in " ".join(said.err.split())

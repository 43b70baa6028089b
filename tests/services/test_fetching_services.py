"""What tests need is fetched once, even where two processes ask at once, and what is missing is named."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from shardlog.testing.services.errors import ServiceMissing
from shardlog.testing.services.registry.fetching import fetched
from shardlog.testing.services.registry.process import running_registry

FETCH = "from shardlog.testing.services.registry.fetching import fetched; print(fetched())"
SECONDS = 250


@pytest.mark.skipif(shutil.which("mvn") is None and os.environ.get("CI") != "true", reason="apt-get install maven")
def test_two_processes_that_fetch_at_once_have_one_program(tmp_path: Path) -> None:
    environment = {**os.environ, "SHARDLOG_CACHE": str(tmp_path)}
    processes = [
        subprocess.Popen([sys.executable, "-c", FETCH], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = {process.communicate(timeout=SECONDS)[0].strip() for process in processes}
    assert [process.returncode for process in processes] == [0, 0]
    (home,) = said
    assert len(list(Path(home).glob("*-runner.jar"))) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["apicurio-registry.lock", Path(home).name])


def test_a_program_that_is_missing_is_named_with_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("SHARDLOG_CACHE", str(tmp_path))
    with pytest.raises(ServiceMissing, match=r"mvn is not on the path: install it, .*apt-get install maven"):
        fetched()
    with pytest.raises(ServiceMissing, match="apt-get install openjdk-17-jre-headless"), running_registry():
        pass


def test_maven_s_own_words_are_shown_where_it_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    maven = tmp_path / "mvn"
    maven.write_text("#!/bin/sh\necho no route to anywhere; exit 1\n")
    maven.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SHARDLOG_CACHE", str(tmp_path / "cache"))
    with pytest.raises(ServiceMissing, match="no route to anywhere"):
        fetched()
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["apicurio-registry.lock"]

"""Every mistake is met with its message, as early as it can be; nothing that is right is refused."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.mistakes import decisions, evolves, messages, projections, purity, several_streams, signatures, views, wholes
from tests.mistakes.mistake import PRELUDE, PRELUDE_LINES, Mistake

Findings = Mapping[str, Sequence[str]]

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 240
MISTAKES: tuple[Mistake, ...] = (
    *messages.MISTAKES,
    *signatures.MISTAKES,
    *decisions.MISTAKES,
    *evolves.MISTAKES,
    *several_streams.MISTAKES,
    *purity.MISTAKES,
    *projections.MISTAKES,
    *views.MISTAKES,
    *wholes.MISTAKES,
)
each_mistake = pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The mistakes as files, one each."""
    path = tmp_path_factory.mktemp("mistakes")
    for mistake in MISTAKES:
        (path / f"{mistake.name}.py").write_text(PRELUDE + mistake.code)
    return path


@pytest.fixture(scope="session")
def mypy_findings(folder: Path) -> Findings:
    """What one run of mypy says about all of them."""
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--explicit-package-bases"]
    environment = {**os.environ, "MYPYPATH": f"{ROOT / 'framework'}{os.pathsep}{ROOT}"}
    ran = subprocess.run(
        [*command, "--hide-error-context", "--cache-dir", str(folder / ".mypy_cache"), "."],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert ran.returncode == 1, f"mypy did not do its work: {ran.stdout[-2000:]}{ran.stderr[-2000:]}"
    found = defaultdict(list)
    for name, line, message in re.findall(r"^(\w+)\.py:(\d+): error: (.*)$", ran.stdout, re.MULTILINE):
        if int(line) > PRELUDE_LINES:
            found[name].append(message)
    return found


@pytest.fixture(scope="session")
def pyright_findings(folder: Path) -> Findings:
    """What one run of pyright says about all of them."""
    settings = {"pythonVersion": "3.11", "typeCheckingMode": "standard", "include": ["."], "extraPaths": [str(ROOT)]}
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    ran = subprocess.run(
        [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--outputjson"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert ran.returncode == 1, f"pyright did not do its work: {ran.stdout[-2000:]}{ran.stderr[-2000:]}"
    found = defaultdict(list)
    for finding in json.loads(ran.stdout)["generalDiagnostics"]:
        if finding["severity"] == "error" and finding["range"]["start"]["line"] >= PRELUDE_LINES:
            found[Path(finding["file"]).stem].append(finding["message"])
    return found


@each_mistake
def test_shardlog_says_what_is_wrong_and_what_to_write(
    mistake: Mistake, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = importlib.util.spec_from_file_location(mistake.name, folder / f"{mistake.name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, mistake.name, module)
    seen_by, message = None, None
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # noqa: BLE001  # whatever the user would see
        seen_by, message = "import", _as_shown(error)
    else:
        try:
            getattr(module, "test", lambda: None)()
        except Exception as error:  # noqa: BLE001  # whatever the user would see
            seen_by, message = "kit", _as_shown(error)
    assert (seen_by, message) == (mistake.seen_by, mistake.message)


@each_mistake
def test_mypy_sees_what_types_can_show(mistake: Mistake, mypy_findings: Findings) -> None:
    _assert_found(mistake.mypy, mypy_findings.get(mistake.name, ()))


@each_mistake
def test_pyright_sees_what_types_can_show(mistake: Mistake, pyright_findings: Findings) -> None:
    _assert_found(mistake.pyright, pyright_findings.get(mistake.name, ()))


def _as_shown(error: Exception) -> str:
    """The message, with lines counted from the mistake's first."""
    shown = f"{type(error).__name__}: {error}"
    return re.sub(r"(?<=\.py:)\d+", lambda line: str(int(line[0]) - PRELUDE_LINES), shown)


def _assert_found(expected: str | None, found: Sequence[str]) -> None:
    if expected is None:
        assert list(found) == []
    else:
        assert any(expected in finding.replace("\u00a0", " ") for finding in found), found

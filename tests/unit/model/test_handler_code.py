"""The digest of a projection's handlers tells other handlers, and not what they look like."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from shardlog.model.handler_code import handlers_digest

CODE = '''
from datetime import timedelta
from shardlog import Changes, Event, Key, Projection, Recorded, Row, Batch, RecordedRejection, increment

class Sold(Event):
    amount: int

class Total(Row, name="totals"):
    shop: Key[str]
    sum: int = 0

FACTOR = 2
NAMES = frozenset({"north", "south", "east", "west"})
totals = Projection("totals", rows=[Total])

def priced(event: Sold) -> int:
    return event.amount * FACTOR

@totals.on
def sold(event: Sold, recorded: Recorded) -> Changes:
    """One more."""
    # of all shops
    return increment(Total, recorded.id, sum=priced(event)) if recorded.id in NAMES else ()

@totals.batch
def sums(batch: Batch[Sold]) -> None:
    batch.connection.exec_driver_sql("SELECT 1")

@totals.on_rejected
def rejected(rejection: RecordedRejection, recorded: Recorded) -> Changes:
    return increment(Total, "refused", sum=1)
'''


def digest(place: Path, code: str) -> str:
    """Of `totals` in a module with this code."""
    number = len(list(place.iterdir()))
    file = place / f"shop_{number}.py"
    file.write_text(code)
    spec = importlib.util.spec_from_file_location("shop", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["shop"] = module
    try:
        spec.loader.exec_module(module)
        return handlers_digest(module.totals)
    finally:
        del sys.modules["shop"]


def replaced(old: str, new: str) -> str:
    assert CODE.count(old) == 1, old
    return CODE.replace(old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("sum=priced(event)", "sum=priced(event) + 1"),
        ("event.amount * FACTOR", "event.amount + FACTOR"),
        ("FACTOR = 2", "FACTOR = 3"),
        ('"west"}', '"far west"}'),
        ("SELECT 1", "SELECT 2"),
        ('"refused", sum=1', '"refused", sum=2'),
    ],
    ids=["handler", "called", "constant", "set", "batch", "rejections"],
)
def test_other_handlers_have_another_digest(tmp_path: Path, old: str, new: str) -> None:
    assert digest(tmp_path, replaced(old, new)) != digest(tmp_path, CODE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""One more."""', '"""One more, of a shop."""'),
        ("# of all shops", "# of each shop"),
        ("def priced(event: Sold) -> int:", "def priced(event):"),
        ("return event.amount * FACTOR", "return (event.amount\n            * FACTOR)"),
        ('{"north", "south", "east", "west"}', '{"west", "south", "east", "north"}'),
        ("class Sold(Event):", "OTHER = 1\n\nclass Sold(Event):"),
    ],
    ids=["docstring", "comment", "annotation", "layout", "order of a set", "elsewhere"],
)
def test_what_changes_nothing_changes_no_digest(tmp_path: Path, old: str, new: str) -> None:
    assert digest(tmp_path, replaced(old, new)) == digest(tmp_path, CODE)


def test_a_digest_is_the_same_in_every_process(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(CODE)
    ask = "import shop; from shardlog.model.handler_code import handlers_digest; print(handlers_digest(shop.totals))"
    found = {
        subprocess.run(
            [sys.executable, "-c", ask],
            cwd=tmp_path,
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in range(3)
    }
    assert len(found) == 1
    assert found != {"\n"}


def test_without_a_source_there_is_no_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    shell = ModuleType("shell")
    monkeypatch.setitem(sys.modules, "shell", shell)
    exec(CODE, vars(shell))
    assert handlers_digest(shell.totals) == ""

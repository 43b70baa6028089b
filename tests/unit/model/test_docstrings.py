"""The examples in public docstrings run as they stand."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import sys
from types import ModuleType

import pytest

import shardlog.codec
import shardlog.model
import shardlog.testing.kit

PACKAGES = (shardlog.codec, shardlog.model, shardlog.testing.kit)


def _examples() -> list[doctest.DocTest]:
    finder = doctest.DocTestFinder(exclude_empty=True)
    return [
        example
        for package in PACKAGES
        for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")
        for example in finder.find(importlib.import_module(found.name))
        if example.examples
    ]


@pytest.mark.parametrize("example", _examples(), ids=lambda example: example.name)
def test_a_docstring_example_says_what_it_gives(example: doctest.DocTest, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("docstring_example")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    example.globs = module.__dict__
    shown: list[str] = []
    runner = doctest.DocTestRunner()
    result = runner.run(example, out=shown.append, clear_globs=False)
    assert result.failed == 0, "".join(shown)


def test_every_concept_that_users_begin_with_has_an_example() -> None:
    with_example = {example.name.rpartition(".")[2] for example in _examples()}
    assert {"Aggregate", "Command", "Context", "Event", "Personal", "Position", "ProcessManager"} <= with_example
    assert {"Projection", "Row", "State", "given", "increment", "update"} <= with_example

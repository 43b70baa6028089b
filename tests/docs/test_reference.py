"""The reference pages are complete, by public name, code and error class; decisions have their form."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

import shardlog
from shardlog import errors
from shardlog.client.commands import CommandOptions
from shardlog.testing import kit
from shardlog.wiring.embedded import Embedded
from tests.docs.stranger import ROOT

DOCS = ROOT / "docs"
DECISIONS = sorted((DOCS / "decisions").glob("0*.md"))
HEADINGS = ["What", "Where", "Why", "Risk", "Rollback", "Replay validation"]
each_decision = pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.stem)


def names_in(page: Path) -> set[str]:
    """The words that stand in backticks, outside of blocks."""
    prose = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return {word for code in re.findall(r"`([^`]+)`", prose) for word in re.findall(r"\w+", code)}


def first_column(page: Path) -> set[str]:
    """The names at the beginning of table rows."""
    return set(re.findall(r"^\| `(\w+)` \|", page.read_text(), re.MULTILINE))


def test_the_api_page_has_every_public_name() -> None:
    members = {name for name in dir(Embedded) if not name.startswith("_")}
    parameters = set(inspect.signature(Embedded).parameters)
    options = set(CommandOptions.__annotations__)
    public = {*shardlog.__all__, *kit.__all__, "Embedded", *members, *parameters, *options}
    assert public - names_in(DOCS / "api.md") == set()


def test_the_error_page_has_every_code() -> None:
    assert errors.ENGINE_CODES - first_column(DOCS / "errors.md") == set()


def test_the_error_page_has_every_class_and_nothing_else() -> None:
    classes = {
        name for name, cls in vars(errors).items() if inspect.isclass(cls) and issubclass(cls, errors.ShardlogError)
    }
    assert first_column(DOCS / "errors.md") == classes | errors.ENGINE_CODES


@each_decision
def test_a_decision_says_what_where_why_risk_rollback_and_replay(page: Path) -> None:
    assert re.findall(r"^## (.+)$", page.read_text(), re.MULTILINE) == HEADINGS


def test_decisions_are_numbered_without_gaps() -> None:
    assert [int(page.name[:4]) for page in DECISIONS] == list(range(1, len(DECISIONS) + 1))


@each_decision
def test_a_decision_is_listed(page: Path) -> None:
    title = page.read_text().partition("\n")[0].removeprefix("# ").partition(" ")[2]
    assert f"| [{page.name[:4]}]({page.name}) | {title} |" in (DOCS / "decisions" / "README.md").read_text()


@each_decision
def test_what_a_decision_points_at_is_there(page: Path) -> None:
    where = page.read_text().partition("## Where\n")[2].partition("\n## ")[0]
    paths = re.findall(r"`([\w./]+/[\w./]+)`", where)
    assert paths, "it names no file"
    for path in paths:
        assert (ROOT / path).exists() or (ROOT / "framework" / "shardlog" / path).exists(), f"{path} is not there"

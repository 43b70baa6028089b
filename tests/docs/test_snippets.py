"""What README and docs say is done as they say it, block by block, and gives what they show."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.docs.stranger import ROOT, Block, Stranger, blocks, make_targets

DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


@pytest.fixture
def stranger(document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stranger:
    """Somebody with an empty folder and the document."""
    module = ModuleType(f"document_{document.stem}")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.chdir(tmp_path)
    return Stranger(document, tmp_path, module)


@each_document
def test_a_document_can_be_followed_from_top_to_bottom(document: Path, stranger: Stranger) -> None:
    for block in blocks(document):
        stranger.read(block)


@each_document
def test_every_fence_of_a_document_is_seen(document: Path) -> None:
    fences = re.findall(r"^```", document.read_text(), re.MULTILINE)
    assert len(fences) == 2 * len(list(blocks(document)))


@each_document
def test_links_lead_somewhere(document: Path) -> None:
    prose = re.sub(r"^```.*?^```", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", prose):
        assert target.startswith("https://") or (document.parent / target).exists(), f"{target} is not there"


@each_document
def test_make_targets_that_are_named_exist(document: Path) -> None:
    named = set(re.findall(r"`make (?:[A-Z]+=\S+ )*([a-z-]+)", document.read_text()))
    assert named <= make_targets()


WRONG = {
    "an output that is not shown as it is": [("python", "print('a')\n"), ("text", "b\n")],
    "an output that nothing prints": [("text", "b\n")],
    "Python that raises": [("python", "1 / 0\n")],
    "a command that fails": [("sh", "false\n")],
    "a target that the Makefile lacks": [("sh", "make tea\n")],
    "a file in a folder that nobody made": [("python", "# nowhere/a.py\n")],
    "a diagram of an unknown kind": [("mermaid", "flowchat LR\n")],
    "a language that nobody reads": [("yaml", "a: 1\n")],
}


@pytest.mark.parametrize("document", [ROOT / "README.md"], ids=["anywhere"])
@pytest.mark.parametrize("written", WRONG.values(), ids=WRONG.keys())
def test_a_document_cannot_have(written: list[tuple[str, str]], document: Path, stranger: Stranger) -> None:
    *before, last = [Block(language, source, 1) for language, source in written]
    for block in before:
        stranger.read(block)
    with pytest.raises((AssertionError, ArithmeticError, KeyError)):
        stranger.read(last)

"""A stranger who does what a document says: saves its files, runs its blocks, and compares what they print.

- A `python` block whose first line is a path, as in `# domain/level.py`, is saved there; any other is run, all of one
  document in one module.
- An `sh` block is run by bash, in a folder that is empty at first. Lines that begin with `make` are not run; their
  targets must be in the Makefile.
- A `text` block is what the block above it prints, `...` standing for anything.
- A block in another programming language has its file's name in its first line; tests of services run it.
- An `sql` block stands in one of SQL_PAGES, and a test of that page runs it.
- A `mermaid` block begins with a kind of diagram, `json` and `toml` must parse, and a fence without a language is for
  people.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from sybil import Document
from sybil.parsers.markdown.lexers import FencedCodeBlockLexer

ROOT = Path(__file__).resolve().parents[2]
DIAGRAMS = ("flowchart", "stateDiagram-v2", "sequenceDiagram", "classDiagram", "erDiagram", "gantt", "xychart-beta")
ELSEWHERE = ("java", "javascript", "go")
SQL_PAGES = ("analysts.md", "projection-workers.md")
"""Pages whose SQL a test of their own runs, against a database with something in it."""
SHELL_SECONDS = 120
_saved_as = re.compile(r"# ([\w./-]+\.py)\n").match
_fences = FencedCodeBlockLexer(language=r"\w*")


class Block(NamedTuple):
    """A fenced block. line: of its first line in the document, from 1."""

    language: str
    source: str
    line: int


def blocks(document: Path) -> Iterator[Block]:
    """The fenced blocks of a document, in order."""
    parsed = Document.parse(str(document), _fences)
    for example in parsed.examples():
        lexemes = example.region.lexemes
        yield Block(lexemes["language"], lexemes["source"], example.line + 1)


class Stranger:
    """Reads one document, block by block, in an empty folder.

    module: what Python blocks run in; it must be in sys.modules meanwhile. The current directory must be the folder.
    """

    def __init__(self, document: Path, folder: Path, module: ModuleType) -> None:
        self._document = document
        self._folder = folder
        self._module = module
        self._printed: str | None = None
        self._by_language = {
            "python": self._python,
            "sh": self._shell,
            "text": self._compare,
            "mermaid": _must_be_a_diagram,
            "json": lambda block: json.loads(block.source),
            "toml": lambda block: tomllib.loads(block.source),
            **dict.fromkeys(ELSEWHERE, _must_be_a_file),
            "sql": self._must_be_run_elsewhere,
            "": lambda block: None,
        }

    def read(self, block: Block) -> None:
        """Do what the block says. Raises whatever goes wrong, with the place in the document."""
        try:
            self._by_language[block.language](block)
        except Exception as error:
            error.add_note(f"{self._document.relative_to(ROOT)}, line {block.line}:\n{block.source}")
            raise

    def _python(self, block: Block) -> None:
        saved_as = _saved_as(block.source)
        if saved_as:
            path = self._folder / saved_as[1]
            assert path.parent.is_dir(), f"{saved_as[1]}: nothing above says that {path.parent.name}/ is to be made"
            path.write_text(block.source)
            self._printed = None
            return
        code = compile("\n" * (block.line - 1) + block.source, str(self._document), "exec")
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(code, self._module.__dict__)
        self._printed = printed.getvalue()

    def _shell(self, block: Block) -> None:
        lines = block.source.splitlines()
        _must_be_targets([line for line in lines if line.startswith("make")])
        script = "\n".join(line for line in lines if not line.startswith("make"))
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        ran = subprocess.run(
            ["bash", "-e", "-c", script],
            cwd=self._folder,
            env={**os.environ, "PATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=SHELL_SECONDS,
            check=False,
        )
        assert ran.returncode == 0, f"exit code {ran.returncode}\n{ran.stdout}\n{ran.stderr}"
        self._printed = ran.stdout if script else None

    def _must_be_run_elsewhere(self, block: Block) -> None:
        assert self._document.name in SQL_PAGES, f"nobody runs the SQL of {self._document.name}"

    def _compare(self, block: Block) -> None:
        assert self._printed is not None, "no block above prints this: a drawing has a fence without a language"
        shows = doctest.OutputChecker().check_output(block.source, self._printed, doctest.ELLIPSIS)
        assert shows, f"the document shows\n{block.source}\nand what is printed is\n{self._printed}"
        self._printed = None


def make_targets() -> frozenset[str]:
    """What `make` can be asked for."""
    return frozenset(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def _must_be_targets(lines: list[str]) -> None:
    for line in lines:
        words = line.partition("#")[0].split()[1:]
        unknown = {word for word in words if not re.match("[A-Z_]+=", word)} - make_targets()
        assert not unknown, f"`{line}`: the Makefile has no {unknown}"


def _must_be_a_file(block: Block) -> None:
    assert re.match(r"// \w+\.\w+\n", block.source), "the first line names no file, so that no test can run it"


def _must_be_a_diagram(block: Block) -> None:
    kind = block.source.split(maxsplit=1)[0]
    assert kind in DIAGRAMS, f"{kind!r} is no kind of diagram: {', '.join(DIAGRAMS)}"

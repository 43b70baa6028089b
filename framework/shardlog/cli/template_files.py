"""The files of a new repository, from the templates beside this module."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import NamedTuple

SUFFIX = ".template"
RENAMED = {"gitignore": ".gitignore"}


class TemplateFile(NamedTuple):
    """A file to be made. path: from the repository's root."""

    path: Path
    text: str


def template_files(values: Mapping[str, str]) -> Iterator[TemplateFile]:
    """All files, with the values in their places."""
    root = files("shardlog.cli").joinpath("templates")
    for parts, template in _walk(root, ()):
        text = template.read_text("utf-8")
        for key, value in values.items():
            text = text.replace("{{" + key + "}}", value)
        *folders, last = parts
        name = last.removesuffix(SUFFIX)
        yield TemplateFile(Path(*folders, RENAMED.get(name, name)), text)


def _walk(folder: Traversable, parts: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Traversable]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _walk(entry, (*parts, entry.name))
        elif entry.name.endswith(SUFFIX):
            yield (*parts, entry.name), entry

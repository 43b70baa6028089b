"""`shardlog new`: a repository for a domain team, laid out as shardlog's own, that works from the start."""

from __future__ import annotations

import keyword
import re
import shutil
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import NamedTuple

import click

SUFFIX = ".template"
RENAMED = {"gitignore": ".gitignore"}
WHEELS = "wheels"
_TAKEN = frozenset({"shardlog", "domain", "projections", "tests", "demo", "item", "stock", "messages"})
_is_wheel = re.compile(r"shardlog-(?P<version>[^-]+)-.*\.whl").fullmatch


class TemplateFile(NamedTuple):
    """A file to be made. path: from the repository's root."""

    path: Path
    text: str


@click.command("new")
@click.argument("name")
@click.option(
    "--directory", type=click.Path(path_type=Path), help="Where to make it; it must not hold files.  [default: NAME]"
)
@click.option(
    "--from",
    "wheel",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="WHEEL",
    help="Install shardlog from this wheel, which is copied into the repository, and not from the registry.",
)
def command(name: str, directory: Path | None, wheel: Path | None) -> None:
    """Make a repository for a domain NAME: an aggregate, a projection, their tests, a demo, a Makefile.

    NAME is a Python name in snake case, like shop; it becomes domain/NAME and projections/NAME. `make demo` and `make
    test` pass in the new repository.
    """
    _check_name(name)
    root = directory or Path(name)
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise click.BadParameter(
            f"{root} holds files, and nothing is written over: name another one", param_hint="--directory"
        )
    found = version("shardlog") if wheel is None else _version(wheel)
    for file in template_files(_values(name, found, wheel is not None)):
        path = root / str(file.path).replace("NAME", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.text, "utf-8")
    if wheel is not None:
        (root / WHEELS).mkdir()
        shutil.copy(wheel, root / WHEELS)
    click.echo(f"{root}: a repository for the domain {name}. Go on there with: make demo, make test")


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


def _values(name: str, found: str, is_wheel: bool) -> dict[str, str]:
    pin = f"=={found}" if is_wheel else f">={found}"
    return {
        "name": name,
        "project": name.replace("_", "-"),
        "requirement": f"shardlog[http]{pin}",
        "testing_requirement": f"shardlog[http,testing]{pin}",
        "find_links": f"--find-links {WHEELS} " if is_wheel else "",
    }


def _check_name(name: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name) or keyword.iskeyword(name):
        raise click.BadParameter(
            f"{name!r} is no name for a domain: write it in snake case, as in shop", param_hint="NAME"
        )
    if name in _TAKEN:
        raise click.BadParameter(
            f"{name!r} is a name that the repository itself needs: take another", param_hint="NAME"
        )


def _version(wheel: Path) -> str:
    match = _is_wheel(wheel.name)
    if match is None:
        raise click.BadParameter(
            f"{wheel.name} is no wheel of shardlog: shardlog-VERSION-py3-none-any.whl", param_hint="--from"
        )
    return match["version"]

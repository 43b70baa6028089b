"""`shardlog new`: a repository for a domain team, laid out as shardlog's own, that works from the start."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path

import click

from shardlog.cli.template_files import template_files

WHEELS = "wheels"
_is_wheel = re.compile(r"shardlog-(?P<version>[^-]+)-.*\.whl").fullmatch


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
    help="Install shardlog from this wheel, which is copied into the repository.  "
    "[default: that of the checkout or wheel that this shardlog is installed from; else the registry's]",
)
def command(name: str, directory: Path | None, wheel: Path | None) -> None:
    """Make a repository for a domain NAME: an aggregate, a projection, their tests, a demo, a Makefile.

    NAME is a Python name in snake case, like shop; it becomes domain/NAME and projections/NAME. `make demo` and `make
    test` pass in the new repository. Where this shardlog is installed from a checkout, its wheel is built with pip.
    """
    from shardlog.cli.own_wheel import installed_from

    _check_name(name)
    root = directory or Path(name)
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise click.BadParameter(
            f"{root} holds files, and nothing is written over: name another one", param_hint="--directory"
        )
    found = version("shardlog") if wheel is None else _version(wheel)
    source = installed_from() if wheel is None else wheel
    for file in template_files(_values(name, found, source is not None)):
        path = root / str(file.path).replace("NAME", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.text, "utf-8")
    if source is not None:
        _put_wheel(source, root)
    click.echo(f"{root}: a repository for the domain {name}. Go on there with: make demo, make test")


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
    from shardlog.cli.reserved_names import why_not

    if why := why_not(name):
        raise click.BadParameter(f"{name!r} {why}", param_hint="NAME")


def _put_wheel(source: Path, root: Path) -> None:
    from shardlog.cli.own_wheel import WheelNotBuilt, put_wheel

    try:
        put_wheel(source, root / WHEELS)
    except WheelNotBuilt as error:
        click.echo(f"shardlog: {error}", err=True)
    else:
        click.echo(f"shardlog: it is installed there from {WHEELS}/, with the wheel of {source}", err=True)


def _version(wheel: Path) -> str:
    match = _is_wheel(wheel.name)
    if match is None:
        raise click.BadParameter(
            f"{wheel.name} is no wheel of shardlog: shardlog-VERSION-py3-none-any.whl", param_hint="--from"
        )
    return match["version"]

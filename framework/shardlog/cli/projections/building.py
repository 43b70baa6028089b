"""How a build is named on the command line: `NAME/VERSION/NUMBER`, as `projections list --json` and logs have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from shardlog.ports.builds import BuildKey


def build_key(text: str) -> BuildKey:
    """Raises click.UsageError for a text that names none."""
    from shardlog.ports.builds import BuildKey

    name, _, numbers = text.partition("/")
    version, _, number = numbers.partition("/")
    if not (name and version.isdecimal() and number.isdecimal()):
        raise click.UsageError(f"{text!r} is no build: name it as NAME/VERSION/NUMBER, such as balances/2/1")
    return BuildKey(name, int(version), int(number))

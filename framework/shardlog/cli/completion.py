"""`shardlog completion`: the script that a shell completes with."""

from __future__ import annotations

import os
from typing import Literal

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS), required=False)
def command(shell: Literal["bash", "zsh", "fish"] | None) -> None:
    """Print the script that completes commands and options in SHELL (default: the shell in $SHELL).

    \b
    bash:  echo 'eval "$(shardlog completion bash)"' >> ~/.bashrc
    zsh:   echo 'eval "$(shardlog completion zsh)"' >> ~/.zshrc
    fish:  shardlog completion fish > ~/.config/fish/completions/shardlog.fish
    """
    from shardlog.cli.main import COMPLETE, shardlog

    name = shell or os.path.basename(os.environ.get("SHELL", ""))
    found = get_completion_class(name)
    if name not in SHELLS or found is None:
        raise click.UsageError(f"$SHELL is {name!r}: say which one you mean, {', '.join(SHELLS)}")
    click.echo(found(shardlog, {}, "shardlog", COMPLETE).source())

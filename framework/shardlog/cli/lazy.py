"""A group of commands, each a module, that are imported when they are asked for."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from typing import Any

import click
from click.shell_completion import CompletionItem

from shardlog.model.names import closest


class LazyCommands(click.Group):
    """A group that lists its commands without importing them.

    package: where the modules are, each with the object `command`; `_` stands for `-`. about: a line on each, by name.
    """

    def __init__(self, *args: Any, package: str, about: Mapping[str, str], **options: Any) -> None:
        super().__init__(*args, **options)
        self._package = package
        self.about = about

    def _module(self, name: str) -> str:
        return f"{self._package}.{name.replace('-', '_')}"

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name in self.about if importlib.util.find_spec(self._module(name)) is not None]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        found = importlib.import_module(self._module(cmd_name)).command
        assert isinstance(found, click.Command)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in self.list_commands(ctx):
            known = self.list_commands(ctx)
            ctx.fail(f"there is no command {args[0]!r}{closest(args[0], known)}; there are: {', '.join(known)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, self.about[name]) for name in self.list_commands(ctx)])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        names = [name for name in self.list_commands(ctx) if name.startswith(incomplete)]
        options = click.Command.shell_complete(self, ctx, incomplete)
        return [*(CompletionItem(name, help=self.about[name]) for name in names), *options]

"""Options and arguments that several commands take, and what they stand for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from shardlog.model.application import Application
    from shardlog.wiring.settings import Loaded

F = TypeVar("F", bound=Callable[..., Any])


def settings_option(function: F) -> F:
    """`--settings FILE`, as `settings`; None where it is not given."""
    return click.option(
        "--settings",
        type=click.Path(dir_okay=False, path_type=Path),
        help="The file with the settings.  [default: $SHARDLOG_SETTINGS, else shardlog.toml here]",
    )(function)


def json_option(function: F) -> F:
    """`--json`, as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")(function)


def load(settings: Path | None) -> Loaded:
    """The settings in force. Raises ConfigurationError."""
    from shardlog.wiring.setting_sources import load

    return load(settings)


def load_with_application(settings: Path | None) -> tuple[Loaded, Application]:
    """The settings, and the application that they name, imported from where the file is. Raises ConfigurationError and
    DomainError."""
    from shardlog.wiring.loading import import_from, load_application

    loaded = load(settings)
    import_from(loaded.folder)
    return loaded, load_application(loaded.settings.application)


def complete_projection(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of projections, for a shell; none where the settings cannot be read."""
    return _complete(ctx, lambda application: application.projections, incomplete)


def complete_category(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """`CATEGORY/`, for a shell."""
    return _complete(ctx, lambda application: [f"{name}/" for name in application.aggregates], incomplete)


def _complete(ctx: click.Context, names: Callable[[Application], Any], incomplete: str) -> list[CompletionItem]:
    from shardlog.errors import ShardlogError

    try:
        _, application = load_with_application(ctx.params.get("settings"))
    except ShardlogError:
        return []  # a shell has nowhere to show it; the command itself will
    return [CompletionItem(name) for name in names(application) if name.startswith(incomplete)]

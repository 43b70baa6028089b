"""Arguments that say which stream is meant: one form for every command, `CATEGORY/ID`, and the same in two words."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import Any, TypeVar, cast

import click

from shardlog.cli.options import complete_category

F = TypeVar("F", bound=Callable[..., Any])


def stream_argument(function: F) -> F:
    """The stream, as `category` and `id`."""

    def called(words: tuple[str, ...], **options: Any) -> Any:
        category, id, *more = _address(words)
        if more:
            raise click.UsageError(f"Got unexpected extra argument ({' '.join(more)})")
        return function(category=category, id=id, **options)

    return cast("F", _words("CATEGORY/ID")(update_wrapper(called, function)))


def command_arguments(function: F) -> F:
    """The stream, and what is sent to it, as `category`, `id`, `name` and `payload`, `{}` where none is given."""

    def called(words: tuple[str, ...], **options: Any) -> Any:
        category, id, *more = _address(words)
        if not more:
            raise click.UsageError("Missing argument 'COMMAND'.")
        if len(more) > 2:
            raise click.UsageError(f"Got unexpected extra argument ({' '.join(more[2:])})")
        name, payload = more if len(more) == 2 else (more[0], "{}")
        return function(category=category, id=id, name=name, payload=payload, **options)

    return cast("F", _words("CATEGORY/ID COMMAND [PAYLOAD]")(update_wrapper(called, function)))


def _words(metavar: str) -> Callable[[F], F]:
    return click.argument("words", metavar=metavar, nargs=-1, required=True, shell_complete=complete_category)


def _address(words: tuple[str, ...]) -> list[str]:
    """Category, id, and what stands behind them."""
    category, slash, id = words[0].partition("/")
    if slash:
        return [category, id, *words[1:]]
    if len(words) == 1:
        raise click.UsageError(f"{words[0]!r} is no stream: write CATEGORY/ID, as in account/acme:001")
    return list(words)

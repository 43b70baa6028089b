"""What commands print: JSON for programs, tables and lines for people."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click
import msgspec

if TYPE_CHECKING:
    from rich.progress import Progress

_encode = msgspec.json.Encoder(enc_hook=str).encode


def say_json(value: object) -> None:
    """One value on one line."""
    click.echo(_encode(value).decode())


def say_table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Columns under headings, as wide as they must be: a terminal wraps them, and a pipe gets whole lines."""
    shown = [[str(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(headings, *shown, strict=True)]
    for row in (headings, *shown):
        click.echo("  ".join(value.ljust(width) for value, width in zip(row, widths, strict=True)).rstrip())


def instant(microseconds: int) -> str:
    """A time of the journal, as in 2026-03-01T12:00:00.000001Z; a dash for none."""
    if not microseconds:
        return "-"
    return datetime.fromtimestamp(microseconds // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + (
        f"{microseconds % 1_000_000:06d}Z"
    )


def count(number: int, what: str) -> str:
    """`1 frame`, `1,200 frames`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def progress() -> Progress:
    """Bars on the standard error, where that is a terminal; nothing elsewhere. To be used as a context."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
        transient=True,
    )

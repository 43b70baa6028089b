"""`shardlog projections retry`: dead letters, handled again in order."""

from __future__ import annotations

from pathlib import Path

import click

from shardlog.cli.options import complete_projection, json_option, load_with_application, settings_option
from shardlog.cli.printing import count, say_json


@click.command("retry")
@click.argument("projection", shell_complete=complete_projection)
@click.argument("stream", required=False, metavar="[CATEGORY/ID]")
@settings_option
@json_option
def command(projection: str, stream: str | None, settings: Path | None, as_json: bool) -> None:
    """Handle the dead letters of PROJECTION again with the code at hand: those of one stream, or of all of them.

    Each stream's are worked through in order, a transaction each. The first that fails again ends it, and stays with
    those behind it.
    """
    from shardlog.wiring.operating import operating

    if stream is not None and "/" not in stream:
        raise click.UsageError(f"{stream!r} is no stream: name it as CATEGORY/ID, as `dead-letters` shows it")
    loaded, application = load_with_application(settings)
    with operating(loaded.settings, application) as projections:
        letters = projections.dead_letters(projection, include_skipped=False)
        there = list(dict.fromkeys((letter.category, letter.id) for letter in letters))
        wanted = there if stream is None else [_parted(stream)]
        handled = sum(projections.retry(projection, category, id) for category, id in wanted)
    if as_json:
        say_json({"projection": projection, "handled": handled})
    else:
        click.echo(f"{projection}: {count(handled, 'dead letter')} handled")


def _parted(stream: str) -> tuple[str, str]:
    category, _, id = stream.partition("/")
    return category, id

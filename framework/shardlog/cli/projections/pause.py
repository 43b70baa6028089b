"""`shardlog projections pause`: a projection's rows, left as they are for now."""

from __future__ import annotations

from pathlib import Path

import click

from shardlog.cli.options import complete_projection, json_option, load_with_application, settings_option
from shardlog.cli.printing import say_json


@click.command("pause")
@click.argument("projection", shell_complete=complete_projection)
@settings_option
@json_option
def command(projection: str, settings: Path | None, as_json: bool) -> None:
    """Let nobody write the rows of PROJECTION until `resume`; analysts see them as they are.

    Those who write them heed it within a second or two.
    """
    from shardlog.wiring.operating import operating

    loaded, application = load_with_application(settings)
    with operating(loaded.settings, application) as projections:
        key = projections.pause(projection, is_paused=True)
    if as_json:
        say_json({**key._asdict(), "is_paused": True})
    else:
        click.echo(f"{key.label} paused")

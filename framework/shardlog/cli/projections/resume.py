"""`shardlog projections resume`: a projection that is paused or stopped, told to go on."""

from __future__ import annotations

from pathlib import Path

import click

from shardlog.cli.options import complete_projection, json_option, load_with_application, settings_option
from shardlog.cli.printing import say_json


@click.command("resume")
@click.argument("projection", shell_complete=complete_projection)
@settings_option
@json_option
def command(projection: str, settings: Path | None, as_json: bool) -> None:
    """Let PROJECTION go on from its checkpoint, where it was paused, or where what had stopped it is repaired."""
    from shardlog.wiring.operating import operating

    loaded, application = load_with_application(settings)
    with operating(loaded.settings, application) as projections:
        key = projections.pause(projection, is_paused=False)
    if as_json:
        say_json({**key._asdict(), "is_paused": False})
    else:
        click.echo(f"{key.label} goes on")

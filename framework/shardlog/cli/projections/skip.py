"""`shardlog projections skip`: a dead letter, dropped for good."""

from __future__ import annotations

from pathlib import Path

import click

from shardlog.cli.options import complete_projection, json_option, load_with_application, settings_option
from shardlog.cli.printing import say_json


@click.command("skip")
@click.argument("projection", shell_complete=complete_projection)
@click.argument("token")
@settings_option
@json_option
def command(projection: str, token: str, settings: Path | None, as_json: bool) -> None:
    """Drop the dead letter of PROJECTION at TOKEN: no row will know of its event, now or after a rebuild.

    It must be the first of its stream; `retry` then works through those behind it.
    """
    from shardlog.wiring.operating import operating

    loaded, application = load_with_application(settings)
    with operating(loaded.settings, application) as projections:
        projections.skip(projection, token)
    if as_json:
        say_json({"projection": projection, "token": token, "state": "skipped"})
    else:
        click.echo(f"{projection}: {token} skipped; retry what is parked behind it")

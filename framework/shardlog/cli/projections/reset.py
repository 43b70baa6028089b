"""`shardlog projections reset`: a projection, begun again, or moved behind records that it cannot take."""

from __future__ import annotations

from pathlib import Path

import click

from shardlog.cli.options import complete_projection, json_option, load_with_application, settings_option
from shardlog.cli.printing import count, say_json


@click.command("reset")
@click.argument("projection", shell_complete=complete_projection)
@click.option("--behind", "token", metavar="TOKEN", help="Pass over all of the token's shard up to it.", required=True)
@settings_option
@json_option
def command(projection: str, token: str, settings: Path | None, as_json: bool) -> None:
    """Move the checkpoint of PROJECTION ahead, behind the record that TOKEN names, in that shard alone.

    No row knows of the records between, and `projections list` says so from then on, until it is rebuilt. Rows are not
    taken back: a projection cannot be moved to what it has read, and `shardlog rebuild` begins it again, beside what
    serves.
    """
    from shardlog.wiring.operating import operating

    loaded, application = load_with_application(settings)
    with operating(loaded.settings, application) as projections:
        passed = projections.pass_over(projection, token)
        projections.pause(projection, is_paused=False)
    if as_json:
        say_json({"projection": projection, "passed_over": passed})
    else:
        click.echo(f"{projection}: {count(passed, 'record')} passed over; no row knows of them until a rebuild")

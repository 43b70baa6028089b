"""`shardlog projections reset`: a projection, begun again, or moved behind records that it cannot take."""

from __future__ import annotations

from pathlib import Path

import click

from shardlog.cli.options import complete_projection, json_option, load_with_application, settings_option
from shardlog.cli.printing import count, say_json


@click.command("reset")
@click.argument("projection", shell_complete=complete_projection)
@click.option("--behind", "token", metavar="TOKEN", help="Pass over all of the token's shard up to it.", required=True)
@click.option("--dry-run", "is_tried", is_flag=True, help="Only say what would be passed over.")
@settings_option
@json_option
def command(projection: str, token: str, is_tried: bool, settings: Path | None, as_json: bool) -> None:
    """Move the checkpoint of PROJECTION ahead, behind the record that TOKEN names, in that shard alone.

    No row knows of the records between, each of which may hold many events: --dry-run counts them, and `projections
    list` says so until it is rebuilt. For a single event see `skip`. Rows are not taken back: a projection cannot be
    moved to what it has read, and `shardlog rebuild` begins it again, beside what serves.
    """
    from shardlog.wiring.operating import operating

    loaded, application = load_with_application(settings)
    with operating(loaded.settings, application) as projections:
        passed = projections.passage(projection, token)
        if not is_tried:
            projections.pass_over(projection, passed)
    if as_json:
        counts = {"passed_over": passed.records, "events": passed.events, "unreadable_frames": passed.unreadable}
        say_json({"projection": projection, **counts, "is_dry_run": is_tried})
        return
    unread = f" and {count(passed.unreadable, 'frame')} that this code cannot read" if passed.unreadable else ""
    there = f"{count(passed.records, 'record')} with {count(passed.events, 'event')} that it hears{unread}"
    if is_tried:
        click.echo(f"{projection}: {there} would be passed over; nothing was done")
    else:
        click.echo(f"{projection}: {there} passed over; no row knows of them until a rebuild")

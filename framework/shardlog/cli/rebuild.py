"""`shardlog rebuild`: a projection's tables, built anew beside those that serve."""

from __future__ import annotations

from pathlib import Path

import click

from shardlog.cli.options import complete_projection, json_option, load_with_application, settings_option
from shardlog.cli.printing import count, progress, say_json


@click.command("rebuild")
@click.argument("projection", shell_complete=complete_projection)
@click.option("--resume", "goes_on", is_flag=True, help="Go on with a rebuild that was not finished, if there is one.")
@click.option("--restart", "restarts", is_flag=True, help="Drop a rebuild that was not finished, and begin again.")
@click.option("--drop-old", "drops_old", is_flag=True, help="Drop the builds that no longer serve, after the switch.")
@settings_option
@json_option
def command(
    projection: str, goes_on: bool, restarts: bool, drops_old: bool, settings: Path | None, as_json: bool
) -> None:
    """Build the tables of PROJECTION anew from the beginning of the journal, and switch the views to them.

    The old tables serve until then, are as they were where it fails, and are kept to switch back to. Where the tables
    are in PostgreSQL, those who keep them go on meanwhile; a SQLite file has one writer: exits with 75 where a process
    serves the journal, or keeps the tables where it is on Kafka. Dead letters stay. Ctrl-C ends it between two
    transactions.
    """
    from shardlog.model.names import closest
    from shardlog.wiring.rebuilding import Wanted, rebuild
    from shardlog.wiring.stores import ProjectionDatabase

    if goes_on and restarts:
        raise click.UsageError("--resume goes on with what --restart drops: say one of them")
    loaded, application = load_with_application(settings)
    if projection not in application.projections:
        known = ", ".join(application.projections) or "none"
        near = closest(projection, application.projections)
        raise click.UsageError(f"there is no projection {projection!r}{near}; there are: {known}")
    with progress() as bars:
        task = bars.add_task(projection, total=None)
        found = rebuild(
            loaded.settings.directory,
            application,
            projection,
            loaded.settings.projector,
            lambda done, total: bars.update(task, completed=done, total=total),
            loaded.settings.kafka,
            ProjectionDatabase.of(loaded.settings),
            Wanted(goes_on, restarts, drops_old),
        )
    if as_json:
        say_json({"projection": projection, **found._asdict()})
        return
    letters = "" if not found.dead_letters else f"; {count(found.dead_letters, 'dead letter')} wait"
    click.echo(
        f"{projection}: {count(found.handled, 'event')} of {count(found.records, 'record')}, rebuilt as build "
        f"{found.build}{letters}"
    )
    if found.is_paused:
        click.echo(f"it is paused, as it was: `shardlog projections resume {projection}` lets it go on")
    for label in found.dropped:
        click.echo(f"dropped build {label}")

"""`shardlog rebuild`: a projection's tables, built again from the journal."""

from __future__ import annotations

from pathlib import Path

import click

from shardlog.cli.options import complete_projection, json_option, load_with_application, settings_option
from shardlog.cli.printing import count, progress, say_json


@click.command("rebuild")
@click.argument("projection", shell_complete=complete_projection)
@settings_option
@json_option
def command(projection: str, settings: Path | None, as_json: bool) -> None:
    """Build the tables of PROJECTION again: they are dropped, and filled from the beginning of the journal.

    Nobody may serve the journal meanwhile, or keep the tables where it is on Kafka: exits with 75 where a process does.
    Dead letters stay. Ctrl-C ends it between two transactions; the next start, or another rebuild, builds the rest.
    """
    from shardlog.model.names import closest
    from shardlog.wiring.rebuilding import rebuild
    from shardlog.wiring.stores import ProjectionDatabase

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
        )
    if as_json:
        say_json({"projection": projection, **found._asdict()})
    else:
        letters = "" if not found.dead_letters else f"; {count(found.dead_letters, 'dead letter')} wait"
        click.echo(
            f"{projection}: {count(found.handled, 'event')} of {count(found.records, 'record')}, rebuilt{letters}"
        )

"""`shardlog projections skip`: one event, passed over for good: a dead letter, or what has stopped a projection."""

from __future__ import annotations

from pathlib import Path

import click

from shardlog.cli.options import complete_projection, json_option, load_with_application, settings_option
from shardlog.cli.printing import count, say_json


@click.command("skip")
@click.argument("projection", shell_complete=complete_projection)
@click.argument("token")
@settings_option
@json_option
def command(projection: str, token: str, settings: Path | None, as_json: bool) -> None:
    """Pass over the event at TOKEN for PROJECTION: no row will know of it, now or after a rebuild.

    A dead letter must be the first of its stream; `retry` then works through those behind it. A projection that has
    stopped at an event goes on behind that one alone; the error names its token.
    """
    from shardlog.wiring.operating import operating

    loaded, application = load_with_application(settings)
    with operating(loaded.settings, application) as projections:
        parked = projections.skip(projection, token)
    if as_json:
        say_json({"projection": projection, "token": token, "state": "skipped"})
    else:
        behind = f"retry {count(parked, 'dead letter')} parked behind it" if parked else "nothing is parked behind it"
        click.echo(f"{projection}: {token} skipped; {'it goes on behind it' if parked is None else behind}")

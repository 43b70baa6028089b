"""`shardlog projections drop`: a build that nobody needs any more."""

from __future__ import annotations

from pathlib import Path

import click

from shardlog.cli.options import json_option, load_with_application, settings_option
from shardlog.cli.printing import say_json
from shardlog.cli.projections.building import build_key


@click.command("drop")
@click.argument("build", metavar="NAME/VERSION/NUMBER")
@settings_option
@json_option
def command(build: str, settings: Path | None, as_json: bool) -> None:
    """Drop a build with its tables, checkpoints and dead letters. The one that serves is refused."""
    from shardlog.wiring.operating import operating

    key = build_key(build)
    loaded, application = load_with_application(settings)
    with operating(loaded.settings, application) as projections:
        projections.drop(key)
    if as_json:
        say_json({**key._asdict(), "state": "dropped"})
    else:
        click.echo(f"{key.label} dropped")
